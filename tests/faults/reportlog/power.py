"""Power loss while a log grows, replayed from recorded calls: `python -m tests.faults.reportlog.power STATES SEED`.

Calls on files are recorded with strace, then the disk is rebuilt as a cut at any of them may leave it, as in
`tests.faults.store.power`; here with folders in folders, and files that are renamed. What a folder has been told is
there for sure when the folder was synced; what is in a file, when the file was. Prints its figures as JSON.
"""

import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from monitor.reportlog import extend, known_checkpoint, tidy
from monitor.reportlog.verifying import verify_log
from tests.faults.reportlog import traced
from tests.faults.reportlog.writer import alone_large, sizes
from tests.faults.store.power import File, Operation, some, torn
from tests.unit.reportlog.making import SIGNER, files, leaves, made

STEPS = 24
PIPE = "pipe"
CALLS = "trace=openat,write,ftruncate,fsync,fdatasync,unlink,rmdir,rename,mkdir"
_LINE = re.compile(r"(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r"\"((?:\\x[0-9a-f]{2})*)\"")
_HANDLE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})*)>")


class Step(NamedTuple):
    """One recorded call on a path within the folder; PIPE for acknowledgements."""

    call: str
    path: str
    other: str = ""
    data: bytes = b""


def record(base: Path) -> list[Step]:
    """What a writer does in its folder, and when it acknowledges."""
    folder = base / "recorded"
    folder.mkdir()
    options = ("-xx", "-s", "10000000", "-e", CALLS)
    ended = traced.run(alone_large, folder / "log", 0, STEPS, base / "trace", *options)
    assert ended.acknowledged == STEPS, ended
    lines = (base / "trace").read_text().splitlines()
    steps = [step for line in lines if (step := _read(line, folder))]
    assert sum(step.path == PIPE for step in steps) == STEPS
    return steps


def _read(line: str, folder: Path) -> Step | None:
    found = _LINE.match(line)
    if found is None or int(found["result"]) < 0:
        return None
    call, arguments = found["call"], found["arguments"]
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    handle = _HANDLE.match(arguments)
    name = _bytes(handle[1]).decode() if handle and call != "openat" else texts[0].decode()
    if call == "write" and name.startswith("pipe:"):
        return Step(call, PIPE, data=texts[0])
    if not Path(name).is_relative_to(folder) or (call == "openat" and "O_CREAT" not in arguments):
        return None
    path = Path(name).relative_to(folder).as_posix()
    if call == "openat":
        return Step("truncate" if "O_TRUNC" in arguments else "create", path)
    if call == "rename":
        return Step(call, path, Path(texts[1].decode()).relative_to(folder).as_posix())
    if call == "write":
        assert int(found["result"]) == len(texts[0]), "the trace holds all that was written"
        return Step(call, path, data=texts[0])
    assert call != "ftruncate", "the replay does not know it"
    return Step(call, path)


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


class Disk:
    """Folders and files as a program sees them, and as the disk has them."""

    def __init__(self) -> None:
        self.seen: dict[str, File | None] = {}  # None: a folder
        self.kept: dict[str, File | None] = {}
        self._ends: dict[str, int] = {}
        self._under_way: dict[str, list[tuple[str, File | None, bool]]] = {}

    def do(self, step: Step) -> None:
        """One call."""
        match step.call:
            case "mkdir":
                self._tell(step.path, None)
            case "create" | "truncate":
                file = self.seen.get(step.path)
                if file is None:
                    file = File()
                    self._tell(step.path, file)
                if step.call == "truncate":
                    file.under_way.append(Operation(0, "ftruncate", step.path))
                    self._ends[step.path] = 0
            case "write":
                file, at = self.seen[step.path], self._ends.get(step.path, 0)
                assert file is not None
                file.under_way.append(Operation(0, "pwrite64", step.path, at, step.data))
                self._ends[step.path] = at + len(step.data)
            case "rename":
                file = self.seen[step.path]
                self._tell(step.other, file)
                self._tell(step.path, None, gone=True)
            case "unlink" | "rmdir":
                self._tell(step.path, None, gone=True)
            case "fsync" | "fdatasync":
                file = self.seen.get(step.path)
                if file is not None:
                    file.sync()
                else:
                    self._keep(step.path, self._under_way.pop(step.path, []))

    def _tell(self, path: str, file: File | None, *, gone: bool = False) -> None:
        if gone:
            self.seen.pop(path, None)
        else:
            self.seen[path] = file
        folder = Path(path).parent.as_posix()
        self._under_way.setdefault(folder, []).append((path, file, gone))

    def _keep(self, folder: str, changes: Sequence[tuple[str, File | None, bool]]) -> None:
        for path, file, gone in changes:
            if gone:
                self.kept.pop(path, None)
            else:
                self.kept[path] = file

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """Files as they may stand after a power cut."""
        for folder, changes in self._under_way.items():
            # In order: a journal may lose its end, never its middle.
            self._keep(folder, changes[: chance.randrange(len(changes) + 1)])
        found = {}
        for path, file in self.kept.items():
            if file is None or not self._reachable(path):
                continue
            for operation in some(file.under_way, chance, in_order=chance.random() < 0.5):
                for piece in torn(operation, chance) if chance.random() < 0.3 else [operation]:
                    file.apply(piece)
            found[path] = bytes(file.kept)
        return found

    def _reachable(self, path: str) -> bool:
        folders = [place.as_posix() for place in Path(path).parents][:-1]
        return all(place in self.kept for place in folders)


def main(states: int, seed: int, *options: str) -> dict[str, int]:
    """Look at so many states. Raises when a leaf that was acknowledged is lost, or the log is torn.

    With the option --without-syncs the disk never obeyed one of a file's: that has to be found out.
    """
    chance, figures = random.Random(seed), Counter[str]()
    grown = sizes(STEPS, large=True)
    known = leaves(grown[-1])
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        steps = record(base)
        if "--without-syncs" in options:
            places = {step.path for step in steps if step.call == "mkdir"} | {"."}
            steps = [s for s in steps if s.call not in ("fsync", "fdatasync") or s.path in places]
        whole = files(made(base / "whole", grown[-1]))
        for number in range(states):
            cut = chance.randrange(len(steps) + 1)
            disk = Disk()
            for step in steps[:cut]:
                if step.path != PIPE:
                    disk.do(step)
            place = base / "now"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name, content in disk.cut(chance).items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
            log = place / "log"
            said = max((int(step.data) for step in steps[:cut] if step.path == PIPE), default=0)
            found = 0
            if known_checkpoint(log) is not None:
                tidy(log)
                found = verify_log(log).checkpoint.size
            assert found in grown[said : said + 2], f"state {number}, cut {cut}: {said} acknowledged, {found}"
            extend(log, SIGNER, 0, known)
            tidy(log)
            assert files(log) == whole, f"state {number}, cut {cut}: not as if nothing had been"
            figures["acknowledged steps before the cuts"] += said
    return {"states": states, "calls": len(steps), "lost": 0, "torn": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
