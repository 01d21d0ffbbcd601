"""What leaves the project: exports, each with an event of its own."""
