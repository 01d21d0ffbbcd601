"""One JSON document whose longest list is written as it comes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from monitor.reporting.formats import Out


class JsonDocument:
    """Begins with `opening`, an object's text up to the list; `end` closes list and object."""

    def __init__(self, out: Out, opening: str) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self._encode = json.JSONEncoder(ensure_ascii=False).encode
        self._between = ""
        out.write(opening.encode())

    def add(self, item: Mapping[str, Any]) -> None:
        """The list's next item."""
        data = (self._between + self._encode(item)).encode()
        self._between = ",\n"
        self._digest.update(data)
        self._out.write(data)

    def hexdigest(self) -> str:
        """Of all items so far: what a name of the whole document can be made of."""
        return self._digest.hexdigest()

    def end(self, closing: str) -> None:
        """What comes after the last item."""
        self._out.write(closing.encode())
