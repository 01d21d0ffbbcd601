"""YAML text → values, with the line on which each key stands, so that an error can point at it."""

from pathlib import Path

import yaml

from monitor.errors import ConfigError

Location = tuple[str | int, ...]


def read_yaml(text: str, path: Path) -> tuple[object, dict[Location, int]]:
    """The values, and the line of every key and item. Raises ConfigError on bad YAML and on a key twice."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        lines: dict[Location, int] = {}
        _lines(node, (), lines, path)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise ConfigError(f"{path}, line {line}: not valid YAML; check indentation, quotes and colons") from e
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as e:
        raise ConfigError(
            f"{path}: not valid YAML ({type(e).__name__}); check dates and special characters"
        ) from e
    finally:
        if loader is not None:
            loader.dispose()


def _lines(node: yaml.Node, at: Location, lines: dict[Location, int], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            if here in lines:
                line = key.start_mark.line + 1
                raise ConfigError(
                    f"{path}, line {line}: {key.value}: stands twice; the second would win unseen"
                )
            lines[here] = key.start_mark.line + 1
            _lines(value, here, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            _lines(value, (*at, index), lines, path)
