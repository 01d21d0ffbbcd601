"""The house rules of imports: who may know whom, and who alone may use which library."""

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "monitor"

FREE = {"model", "errors"}
ADAPTER = {"model", "errors", "ports"}
READER = {"store", "reportlog", "model", "errors"}
EVERYTHING = None
ALLOWED: dict[str, set[str] | None] = {
    "model": set(),
    "errors": {"model"},
    "ports": {"model"},
    "exchange": ADAPTER,
    "logs": FREE,
    "streams": set(),
    "yaml_lines": {"errors"},
    "secrets": {"errors"},
    "config_edit": {"errors"},
    "config": {"errors", "model", "secrets", "yaml_lines"},
    "fetching": FREE,
    "recording": ADAPTER,
    "pipeline": ADAPTER | {"fetching"},
    "followup": ADAPTER,
    "telegram": ADAPTER,
    "matching": ADAPTER,
    "store": ADAPTER,
    "reportlog": ADAPTER,
    "confinement": ADAPTER,
    "reporting": READER,
    "research": READER,
    "console": READER | {"reporting", "research"},
    "selftest": EVERYTHING,
    "testdc": set(),
    "clock": set(),
    "prepare": EVERYTHING,
    "wire": {"errors", "model", "ports"},
    "bars": {"ports"},
    "decoder": ADAPTER | {"confinement", "matching"},
    "collector": EVERYTHING,
    "cord": {"config"},
    "pair": {"config", "cord", "errors"},
    "reloading": {"config", "errors"},
    "state": {"config", "errors", "reloading"},
    "collector_process": EVERYTHING,
    "recorder_process": EVERYTHING,
    "exchange_lists": {"config", "errors", "exchange"},
    "fetched_lists": {"config", "errors", "exchange", "matching", "model"},
    "exchange_process": {"config", "confinement", "cord", "errors", "exchange", "logs", "streams"},
    "exchange_schedule": {"config", "cord", "errors", "exchange_lists", "pair"},
    "daemon": EVERYTHING,
    "rescanning": EVERYTHING,
    "sending": EVERYTHING,
    "report_items": EVERYTHING,
    "proving": EVERYTHING,
    "rotating": EVERYTHING,
    "demo": EVERYTHING,
    "demo_report": EVERYTHING,
    "cli": EVERYTHING,
    "__main__": {"cli"},
    "__init__": set(),
}
LIBRARIES = {
    "telethon": {"telegram", "testdc"},
    "sqlalchemy": {"store"},
    "aiosqlite": {"store"},
    "alembic": {"store"},
    "asyncpg": {"store"},
    "psycopg": {"store"},
    "PIL": {"matching", "testdc"},
    "imagehash": {"matching"},
    "numba": {"matching"},
    "av": {"matching", "testdc"},
    "threatexchange": {"exchange"},
    "requests": {"exchange"},
    "starlette": {"console"},
    "pyarrow": {"reporting"},
    "pyrage": {"reporting"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The part of the house in which a file stands."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether only when it is used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) not in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", id(node) not in top


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_room_imports_only_what_it_may(path: Path) -> None:
    here = room(path)
    assert here in ALLOWED, f"{here} has no rule: add one here and to the design"
    allowed = ALLOWED[here]
    for module, _ in imported(path):
        parts = module.split(".")
        if parts[0] == "monitor" and len(parts) > 1 and allowed is not None:
            assert parts[1] in allowed | {here}, f"{here} may not import {module}"
        for library, rooms in LIBRARIES.items():
            if parts[0] == library:
                assert here in rooms, f"only {sorted(rooms)} may import {library}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda p: p.name)
def test_commands_import_rooms_only_when_they_run(path: Path) -> None:
    for module, later in imported(path):
        if module.startswith("monitor.") and not module.startswith("monitor.cli"):
            assert later, f"{path.name} imports {module} at its top; --help would pay for it"


@pytest.mark.parametrize("path", sorted((PACKAGE / "model").glob("*.py")), ids=lambda p: p.name)
def test_the_model_imports_the_standard_library_alone(path: Path) -> None:
    for module, _ in imported(path):
        assert module.split(".")[0] in sys.stdlib_module_names or module.startswith("monitor.model."), module


def defined(path: Path) -> Iterator[str]:
    """The public names that a file gives to what it defines."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("package", ["model", "config"])
def test_what_a_part_defines_its_package_gives(package: str) -> None:
    parts = sorted((PACKAGE / package).glob("[!_]*.py"))
    names = [name for path in parts for name in defined(path)]
    assert len(parts) > 10
    assert sorted(names) == sorted(importlib.import_module(f"monitor.{package}").__all__)
