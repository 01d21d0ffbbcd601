"""The schema: the migration gives it, and no column can hold a sentence from a message."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Column, LargeBinary, Table, Text, create_engine

from monitor.store import migrate, open_store
from monitor.store.schema import metadata

OPERATORS = {
    "authorizations": {"reference", "granted_by", "approved_by", "terms", "includes"},
    "channels": {"includes"},
    "hash_lists": {"licensor", "reference", "permitted_uses"},
    "operators": {"roles"},
    "errands": {"path", "comment", "explanation"},
    "errand_menus": {"text"},
}
"""Columns of free text: what operators declare, what is made of enumerations, and the platform's own menu."""


@pytest.fixture
async def migrated(tmp_path: Path) -> Path:
    path = tmp_path / "migrated.sqlite3"
    async with open_store(path):
        pass
    return path


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "created.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    return path


def tables(path: Path) -> dict[str, str]:
    """Every table and index but Alembic's own, in one spelling, with columns and constraints sorted."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {
        name: " ".join(sorted(line.strip().rstrip(",") for line in sql.splitlines()))
        for name, sql in rows
        if name != "alembic_version"
    }


def test_the_migration_gives_the_schema(migrated: Path, created: Path) -> None:
    assert tables(migrated) == tables(created)


def test_alembic_finds_nothing_left_to_migrate(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    engine.dispose()


def test_the_known_revisions_are_those_that_are_shipped() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    shipped = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(shipped)) == migrate.REVISIONS


TEXTS = [
    (table, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Text) and column.name not in OPERATORS.get(table.name, set())
]


@pytest.mark.parametrize(("table", "column"), TEXTS, ids=lambda value: str(value))
def test_a_text_is_one_word_or_one_of_a_few_values(table: Table, column: str) -> None:
    names = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
    assert names & {f"{column}_word", f"{column}_known"}


def test_bytes_are_keys_digests_and_events_alone() -> None:
    found = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert found == {
        ("sessions", "auth_key"),
        ("authorizations", "document_sha256"),
        ("hash_lists", "sha256"),
        ("events", "commitment"),
        ("events", "salt"),
        ("events", "body"),
        ("events", "commitment"),
    }


def put(db: sqlite3.Connection, table: Table, column: str, value: str) -> None:
    """Insert a row that is right but for one column."""
    names = [c.name for c in table.columns if not c.nullable or c.name == column]
    marks = ", ".join("?" * len(names))
    cells = [value if name == column else example(table.columns[name]) for name in names]
    db.execute(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", cells)  # noqa: S608 # our names


def example(column: Column[Any]) -> int | str | bytes:
    """A value that the column takes."""
    if isinstance(column.type, LargeBinary):
        return bytes(32)
    if isinstance(column.type, Text):
        checks = {
            str(c.name): str(c.sqltext) for c in column.table.constraints if isinstance(c, CheckConstraint)
        }
        known = checks.get(f"{column.name}_known")
        return "word" if known is None else known.split("'")[1]
    return 1


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_no_number_takes_a_text(created: Path, table: Table) -> None:
    with closing(sqlite3.connect(created)) as db:
        for column in table.columns:
            if not isinstance(column.type, Text | LargeBinary):
                with pytest.raises(sqlite3.IntegrityError, match=r"cannot store TEXT|datatype mismatch"):
                    put(db, table, column.name, "a word")


SENTENCES = [
    "two words",
    "line\nline",
    "слово",
    "x" * 300,
    "tab\there",
    "emoji🙂",
    "'quoted'",
    "nul\0 and more",
]


@pytest.mark.parametrize(("table", "column"), TEXTS, ids=lambda value: str(value))
def test_no_text_takes_a_sentence(created: Path, table: Table, column: str) -> None:
    with closing(sqlite3.connect(created)) as db:
        for sentence in SENTENCES:
            with pytest.raises(sqlite3.IntegrityError, match=f"{column}_(word|known)"):
                put(db, table, column, sentence)
        put(db, table, column, str(example(table.columns[column])))


@pytest.mark.parametrize(
    "text", ["", "x" * 65, "line\nline", "tab\there", "nul\0 and more", "\x1b[2J", "c1\x9b"]
)
def test_a_line_of_the_menu_is_one_short_line(created: Path, text: str) -> None:
    insert = "INSERT INTO errand_menus (errand_id, position, text) VALUES (1, ?, ?)"
    with closing(sqlite3.connect(created)) as db:
        db.execute(insert, (0, "Child abuse, даже так"))
        with pytest.raises(sqlite3.IntegrityError, match="text_label"):
            db.execute(insert, (1, text))
