"""Bringing a database to the newest schema: forward only, in one transaction."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from monitor.errors import StoreCorrupt

REVISIONS = ("0001",)
"""Every schema that ever was, oldest first. A new one is a file in migrations/versions and a line here."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def check(conn: Connection, path: Path) -> str | None:
    """The database's revision; None when it is empty.

    Raises StoreCorrupt for a database of a newer version of this program, or of another program.
    """
    tables = inspect(conn).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreCorrupt(f"{path}: a database of another program; give a path of its own to the store")
    revision = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if revision not in REVISIONS:
        raise StoreCorrupt(
            f"{path}: written by a newer version of this program (schema {revision}, this one knows up to "
            f"{REVISIONS[-1]}); run that version, or restore an older backup"
        )
    return str(revision)


def upgrade(conn: Connection, path: Path) -> None:
    """Create the newest schema, or bring an older one there; nothing happens when it is there already.

    Raises StoreCorrupt as `check` does.
    """
    if check(conn, path) == REVISIONS[-1]:
        return
    # Imported here: half of a start's time, and needed once in the life of a database.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
