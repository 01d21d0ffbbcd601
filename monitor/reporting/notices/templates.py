"""The templates, ours or an operator's, in an environment from which nothing but the given facts can be reached."""

import traceback
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from jinja2 import (
    FunctionLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor.errors import InputError

LONGEST = 200_000
"""Characters that a template of an operator's may have."""
_SUFFIX = ".j2"


class Templates:
    """Every template by name, compiled. A file of the same name in `folder` replaces ours.

    Raises InputError that names the file, and the line where one can be told: for a folder that is not
    there, a file that replaces nothing, and what is no valid template.
    """

    def __init__(self, folder: Path | None = None) -> None:
        sources = _published()
        self._where = {name: name for name in sources}
        if folder is not None:
            for path in _own(folder, sources):
                sources[path.name] = _text(path)
                self._where[path.name] = str(path)
        self._sources = sources
        self._environment = _environment(sources, self._where)
        for name in sources:
            self._compiled(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all templates, parts among them."""
        return tuple(sorted(self._sources))

    def has(self, name: str) -> bool:
        """Whether there is such a template."""
        return name in self._sources

    def source(self, name: str) -> str:
        """A template's text. Raises InputError with the names that there are."""
        if name not in self._sources:
            raise InputError(f"{name[:80]}: no such template; there are {', '.join(self.names)}")
        return self._sources[name]

    def render(self, name: str, facts: Mapping[str, object]) -> str:
        """The template's text with these facts. Raises InputError with file and line where it cannot be."""
        template = self._compiled(name)
        try:
            return template.render(facts)
        except Exception as e:
            # A template is a program of the operator's: whatever it raises is a defect of the file.
            raise InputError(f"{self._place(e, name)}: {_reason(e)}") from None

    def _compiled(self, name: str) -> Template:
        try:
            return self._environment.get_template(name)
        except TemplateSyntaxError as e:
            raise InputError(
                f"{self._where.get(e.name or name, name)}, line {e.lineno}: {e.message}"
            ) from None
        except (TemplateError, RecursionError, ValueError) as e:
            raise InputError(f"{self._where[name]}: {_reason(e)}") from None

    def _place(self, error: Exception, name: str) -> str:
        """The innermost file and line of a template that an error went through."""
        known = {where: where for where in self._where.values()}
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename in known:
                return f"{frame.filename}, line {frame.lineno}"
        return self._where[name]


def _environment(sources: Mapping[str, str], where: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, None] | None:
        # From what was read at the start: no name leads to a file.
        return (sources[name], where[name], None) if name in sources else None

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        cache_size=-1,
    )
    environment.globals.clear()
    # The same facts give the same notice.
    del environment.filters["random"]
    return environment


def _published() -> dict[str, str]:
    folder = files("monitor.reporting.notices").joinpath("templates")
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(_SUFFIX)
    }


def _own(folder: Path, known: Mapping[str, str]) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX))
    except OSError as e:
        raise InputError(f"{folder}: cannot be read as a folder of templates ({e.strerror})") from e
    for path in found:
        if path.name not in known:
            raise InputError(f"{path}: replaces no template; there are {', '.join(sorted(known))}")
    return found


def _text(path: Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({type(e).__name__})") from e
    if len(text) > LONGEST:
        raise InputError(f"{path}: longer than {LONGEST:,} characters; a template is a page or two")
    return text


def _reason(error: Exception) -> str:
    """What is wrong, in the engine's words where they speak of the template, else by the error's type."""
    if isinstance(error, TemplateNotFound):
        return f"{error.name}: no such template"
    if isinstance(error, TemplateError) and error.message:
        return error.message
    return f"cannot be rendered ({type(error).__name__})"
