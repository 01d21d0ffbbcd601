"""Channel Monitor: watches authorized public channels by hash, and stores no content."""
