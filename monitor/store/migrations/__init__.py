"""The way of the schema from each version to the next, for Alembic."""
