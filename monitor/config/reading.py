"""From the file to a `Config`, or to a message that names line, key and remedy."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.config.whole import Config
from monitor.errors import ConfigError
from monitor.yaml_lines import Location, read_yaml


def find(option: Path | None) -> Path:
    """The file to read: the option, MONITOR_CONFIG, or config.yaml here."""
    return option or Path(os.environ.get("MONITOR_CONFIG") or "config.yaml")


def load(path: Path) -> Config:
    """Read and validate. Raises ConfigError with file, line, key and remedy."""
    path = path.absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        raise ConfigError(
            f"{path}: no such file; monitor init writes one, --config FILE names another"
        ) from e
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({type(e).__name__})") from e
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """Validate a configuration's text as if it stood in `path`. Raises ConfigError."""
    data, lines = read_yaml(text, path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is not a mapping of keys to values; see config.example.yaml")
    if "path" in data:
        raise ConfigError(f"{path}, line {lines.get(('path',), 1)}: path: unknown key")
    try:
        config = Config(path=path, **{str(key): value for key, value in data.items()})
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(error, lines, path) for error in e.errors()[:5])) from None
    config._text = text
    return config


def _explain(error: Any, lines: dict[Location, int], path: Path) -> str:
    where: Location = tuple(part for part in error["loc"] if isinstance(part, str | int))
    known = where
    while known and known not in lines:
        known = known[:-1]
    # A union adds the names of its members, which mean nothing to the reader.
    shown = known if known and error["type"] != "missing" else where
    key = ".".join(str(part) for part in shown)
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = "unknown key; see config.example.yaml for those that exist"
    elif error["type"] == "missing":
        what = "is missing"
    return f"{path}, line {lines.get(known, 1)}: {key + ': ' if key else ''}{what}"
