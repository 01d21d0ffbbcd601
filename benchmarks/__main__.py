"""Run the benchmarks, print the table, exit 1 when a target is missed.

`--full`: lists of ten million too. Names of benchmarks run those alone. `--write FILE`: the table as Markdown, with
machine and versions.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import (
    confinement,
    downloads,
    exports,
    hashing,
    lists,
    photos,
    reportlog,
    searching,
    startup,
    steady,
    throughput,
    video,
)
from benchmarks.table import Row, as_markdown, show


def _all(full: bool) -> Mapping[str, Callable[[], list[Row]]]:
    return {
        "startup": lambda: [startup.measure()],
        "throughput": throughput.measure,
        "hashing": hashing.measure,
        "searching": partial(searching.measure, full=full),
        "lists": lists.measure,
        "photos": photos.measure,
        "video": video.measure,
        "downloads": lambda: [downloads.measure()],
        "confinement": lambda: [confinement.measure()],
        "steady": steady.measure,
        "exports": exports.measure,
        "reportlog": reportlog.measure,
    }


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_all(False)))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    known = _all(options.full)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no benchmark is named {unknown[0]}; there are {', '.join(known)}")
    rows = []
    for name in options.names or known:
        began = time.monotonic()
        print(f"· {name}", end="", file=sys.stderr, flush=True)
        rows += known[name]()
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    if options.write:
        options.write.write_text(as_markdown(rows), encoding="utf-8")
    return 0 if show(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
