"""docs/matching.ipynb prints what stands in it."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[3] / "docs" / "matching.ipynb"


def test_the_notebook_prints_what_stands_in_it() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = [c for c in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert len(cells) >= 5
    for cell in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), "matching.ipynb", "exec"), namespace)  # noqa: S102 — our own
        assert printed.getvalue() == "".join(text for out in cell["outputs"] for text in out["text"])
