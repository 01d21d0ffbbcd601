"""Power loss, replayed from recorded writes: `python -m tests.faults.store.power STATES SEED`.

A writer's writes, syncs and acknowledgements are recorded with strace; then the disk is rebuilt as it may stand
after a cut at any of them. What was synced is there. Of what was not, any part may be: nothing, the first
writes, some of them, in any order, torn at sectors. The same holds for names of files until their folder is
synced. A process of its own, with nothing running in it when it forks. Prints its figures as JSON.
"""

import asyncio
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.faults.store import traced
from tests.faults.store.script import reference, survey

CLOSED_AFTER, STEPS = 40, 200
"""The first session ends in order, with a checkpoint; the second is long enough for one while it writes."""
T = TypeVar("T")
SYNCS = {"fsync", "fdatasync"}
PIPE = "pipe"
FOLDER = "."

_LINE = re.compile(r"(?P<at>\d+\.\d+) (?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r"\"((?:\\x[0-9a-f]{2})*)\"")
_HANDLE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})*)>")


class Operation(NamedTuple):
    """One recorded call on the file of that name in the store's folder; PIPE for acknowledgements."""

    at: int
    call: str
    name: str
    offset: int = 0
    data: bytes = b""


def record(path: Path) -> list[Operation]:
    """What a writer does to the store's files, and when it acknowledges, over two sessions."""
    operations = []
    trace = path.parent.with_name("trace")
    for first, last in ((0, CLOSED_AFTER), (CLOSED_AFTER, STEPS)):
        calls = "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename,fallocate"
        full = ("-xx", "-s", "1000000", "--absolute-timestamps=format:unix,precision:ns", "-e", calls)
        ended = traced.run(path, first, last, trace, *full, pipe=True)
        assert ended.acknowledged == last, ended
        of_session = []
        for thread in trace.parent.glob("trace.*"):
            for line in thread.read_text().splitlines():
                if operation := _read(line, path.parent):
                    of_session.append(operation)
            thread.unlink()
        operations += sorted(of_session)
    assert sum(operation.name == PIPE for operation in operations) == STEPS
    return operations


def _read(line: str, folder: Path) -> Operation | None:
    """One line of a trace; None for calls that failed, or that change nothing."""
    found = _LINE.match(line)
    if found is None or int(found["result"]) < 0:
        return None
    call, arguments = found["call"], found["arguments"]
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    handle = _HANDLE.match(arguments)
    path = Path(_bytes(handle[1]).decode() if handle else texts[0].decode())
    at = int(found["at"].replace(".", ""))  # nanoseconds
    match call:
        case "openat" if "O_CREAT" in arguments:
            return Operation(at, call, Path(texts[0].decode()).name)
        case "openat":
            return None
        case "write":
            return Operation(at, call, PIPE, data=texts[0])
        case "pwrite64":
            assert int(found["result"]) == len(texts[0]), "the trace holds all that was written"
            return Operation(at, call, path.name, int(arguments.rsplit(" ", 1)[1]), texts[0])
        case "ftruncate":
            return Operation(at, call, path.name, int(arguments.rsplit(" ", 1)[1]))
        case "fsync" | "fdatasync":
            return Operation(at, call, FOLDER if path == folder else path.name)
        case "unlink":
            return Operation(at, call, path.name)
    raise AssertionError(f"the replay does not know {call}")


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


@dataclass
class File:
    """What is on the disk of one file, and what is under way to it."""

    kept: bytearray = field(default_factory=bytearray)
    under_way: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.under_way:
            self.apply(operation)
        self.under_way.clear()

    def apply(self, operation: Operation) -> None:
        if operation.call == "ftruncate":
            del self.kept[operation.offset :]
            self.kept.extend(bytes(operation.offset - len(self.kept)))
            return
        end = operation.offset + len(operation.data)
        self.kept.extend(bytes(max(0, operation.offset - len(self.kept))))
        self.kept[operation.offset : end] = operation.data


Names = dict[str, File]


def after_cut(operations: Sequence[Operation], chance: random.Random) -> dict[str, bytes]:
    """The files of the folder as a power cut after these operations may leave them."""
    known: Names = {}  # what a program sees
    kept: Names = {}  # what the disk has
    under_way: list[tuple[str, File | None]] = []
    for operation in operations:
        name = operation.name
        if name == PIPE or name.endswith("-shm"):
            continue
        if name == FOLDER:
            _rename(kept, under_way)
            under_way = []
        elif operation.call == "openat":
            if name not in known:
                known[name] = File()
                under_way.append((name, known[name]))
        elif operation.call == "unlink":
            del known[name]
            under_way.append((name, None))
        elif operation.call in SYNCS:
            known[name].sync()
        else:
            known[name].under_way.append(operation)
    _rename(kept, some(under_way, chance, in_order=True))
    for file in kept.values():
        for operation in some(file.under_way, chance, in_order=chance.random() < 0.5):
            for piece in torn(operation, chance) if chance.random() < 0.3 else [operation]:
                file.apply(piece)
    return {name: bytes(file.kept) for name, file in kept.items()}


def _rename(kept: Names, changes: Sequence[tuple[str, File | None]]) -> None:
    for name, file in changes:
        if file is None:
            kept.pop(name, None)
        else:
            kept[name] = file


def some(things: Sequence[T], chance: random.Random, *, in_order: bool) -> list[T]:
    """What a cut lets through: nothing, all, the first ones, or any; in their order or in none."""
    match chance.randrange(4):
        case 0:
            chosen: list[T] = []
        case 1:
            chosen = list(things)
        case 2:
            chosen = list(things[: chance.randrange(len(things) + 1)])
        case _:
            share = chance.random()
            chosen = [thing for thing in things if chance.random() < share]
    if not in_order:
        chance.shuffle(chosen)
    return chosen


def torn(operation: Operation, chance: random.Random) -> list[Operation]:
    """Some of the sectors of a write; a truncation happens or does not."""
    if operation.call == "ftruncate":
        return [operation]
    size = chance.choice((512, 4096))
    # Sectors lie where the disk has them, not where the write begins.
    start, end = operation.offset, operation.offset + len(operation.data)
    edges = [start, *range(start - start % size + size, end, size), end]
    pieces = [
        operation._replace(offset=a, data=operation.data[a - start : b - start]) for a, b in pairwise(edges)
    ]
    return some(pieces, chance, in_order=True)


def acknowledged(operations: Sequence[Operation]) -> int:
    """The last step that was called done before the cut."""
    return max((int(o.data) for o in operations if o.name == PIPE), default=0)


def main(states: int, seed: int, *options: str) -> dict[str, int]:
    """Look at so many states. Raises AssertionError at the first that has lost a row, or is damaged.

    With the option --without-syncs the disk never obeyed one: that has to be found out.
    """
    chance, figures = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "store"
        folder.mkdir()
        known = asyncio.run(reference(STEPS))
        operations = record(folder / "store.sqlite3")
        if "--without-syncs" in options:
            operations = [o for o in operations if o.call not in SYNCS or o.name == FOLDER]
        for number in range(states):
            cut = chance.randrange(len(operations) + 1)
            shutil.rmtree(folder)
            folder.mkdir()
            for name, content in after_cut(operations[:cut], chance).items():
                (folder / name).write_bytes(content)
            if chance.random() < 0.5:  # the index of the log is memory, and may be anything on the disk
                (folder / "store.sqlite3-shm").write_bytes(chance.randbytes(32768))
            said, found = acknowledged(operations[:cut]), asyncio.run(survey(folder / "store.sqlite3", known))
            assert said <= found <= said + 1, f"state {number}, cut {cut}: {said} acknowledged, {found} found"
            figures["acknowledged steps before the cuts"] += said
    return {"states": states, "operations": len(operations), "lost": 0, "corrupt": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
