"""Channel Monitor: watches authorized public channels by hash, and stores no content."""

__version__ = "0.1.0"
