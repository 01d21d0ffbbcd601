"""Commands run in a folder that is watched, and then a search of everything they left or handed over."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import monitor
from monitor.selftest import device, trace
from monitor.selftest.search import OVERLAP, Hit, Search

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 — looked at, never written
FLUSH = 1 << 20
"""Bytes of one descriptor that are searched at once."""


@dataclass(slots=True)
class Searched:
    """What was looked at, in numbers, and what was found."""

    files: int = 0
    file_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0
    passed_bytes: int = 0
    device_bytes: int = 0
    unseen: int = 0
    traced: bool = False
    hits: set[Hit] = field(default_factory=set)


@dataclass(slots=True)
class Watched:
    """A folder and the commands that run in it. `strace` is None where only files can be searched."""

    folder: Path
    traces: Path
    strace: str | None
    image: Path | None = None
    _before: frozenset[Path] = frozenset()
    _started: int = 0

    @property
    def shared(self) -> set[Path]:
        """Files in shared memory that were not there before."""
        return set(SHARED_MEMORY.rglob("*")) - self._before

    async def run(self, command: list[str], *, stdin: bytes = b"", limit: float = 120) -> int:
        """Run a command to its end; its exit code. Raises TimeoutError."""
        async with self.running(command, stdin) as running, asyncio.timeout(limit):
            return await running.process.wait()

    @contextlib.asynccontextmanager
    async def running(self, command: list[str], stdin: bytes = b"") -> "AsyncIterator[Running]":
        """A command that runs as long as the block lasts; its output goes to a file in the folder."""
        self._started += 1
        whole = command
        if self.strace:
            whole = trace.traced(self.strace, self.traces / f"{self._started}", command)
        output = self.folder / f"output-{self._started}.log"
        environment = {
            **os.environ,
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONUNBUFFERED": "1",
            # This very package, also where another one is installed.
            "PYTHONPATH": os.pathsep.join([str(Path(monitor.__file__).parents[1]), *_python_path()]),
        }
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *whole,
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env=environment,
            )
        finally:
            os.close(out)
        running = Running(process, self.strace is not None)
        try:
            if process.stdin is not None:
                with contextlib.suppress(ConnectionError):
                    process.stdin.write(stdin)
                    process.stdin.close()
            yield running
        finally:
            if process.returncode is None:
                running.signal(signal.SIGKILL)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(30):
                        await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


def _python_path() -> list[str]:
    found = os.environ.get("PYTHONPATH")
    return [found] if found else []


@dataclass(frozen=True, slots=True)
class Running:
    """A command under way."""

    process: asyncio.subprocess.Process
    traced: bool

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, not to strace."""
        pid = self.process.pid
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for target in children(pid) if self.traced else [pid]:
                os.kill(target, number)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def watching(home: Path, *, on_device: bool = True, under_strace: bool = True) -> Iterator[Watched]:
    """Make `home`/site, on a device of its own where possible, and watch it; it is empty but for a tmp folder."""
    folder, traces, image = home / "site", home / "traces", home / "device.img"
    for path in (folder, traces):
        path.mkdir(mode=0o700)
    strace = trace.available() if under_strace else None
    with contextlib.ExitStack() as stack:
        mounted = on_device and stack.enter_context(device.mounted(image, folder))
        (folder / "tmp").mkdir(mode=0o700)
        before = frozenset(SHARED_MEMORY.rglob("*"))
        watched = Watched(folder, traces, strace, image if mounted else None, before)
        try:
            yield watched
        finally:
            if mounted:
                os.sync()


def everything(watched: Watched, search: Search) -> Searched:
    """Search files, names, extended attributes and written buffers; the device has its own, once unmounted."""
    result = Searched(traced=watched.strace is not None)
    opened = _writes(watched, search, result)
    paths = {*watched.folder.rglob("*"), *watched.shared, *opened}
    for path in sorted(paths):
        _file(path, search, result)
    return result


def raw_device(watched: Watched, search: Search, result: Searched) -> None:
    """Search every block of the device, those of deleted files too."""
    if watched.image is None:
        return
    result.device_bytes = watched.image.stat().st_size
    for piece in device.chunks(watched.image, OVERLAP):
        result.hits |= search.search(piece, "a block of the device", begins=False)


def _file(path: Path, search: Search, result: Searched) -> None:
    where = f"file {search.shown(str(path))}"
    result.hits |= search.search(os.fsencode(path), f"{where}: its name", begins=False)
    with contextlib.suppress(OSError):
        for attribute in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, attribute, follow_symlinks=False)
            result.hits |= search.search(attribute.encode() + b"\0" + value, f"{where}: its attributes")
    if path.is_symlink() or not path.is_file() or not path.exists():
        return
    result.files += 1
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        tail, begins = b"", True
        while piece := file.read(FLUSH):
            result.file_bytes += len(piece)
            result.hits |= search.search(tail + piece, where, begins=begins)
            tail, begins = piece[-OVERLAP:], False


def _writes(watched: Watched, search: Search, result: Searched) -> set[Path]:
    """Search what strace saw; returns the files that were opened for writing."""
    opened: set[Path] = set()
    streams: dict[tuple[str, str], bytearray] = {}
    seen: set[int] = set()
    for call in trace.calls(iter(sorted(watched.traces.iterdir()))):
        where = f"{call.name} to {search.shown(call.descriptor) if call.descriptor else 'the system'}"
        result.writes += 1
        result.written_bytes += len(call.data)
        if not call.seen:
            result.unseen += 1
            if call.descriptor.startswith("/"):
                result.hits.add(Hit(where, "bytes that nobody could look at", "unseen"))
        if call.opened:
            opened.add(Path(call.opened))
        if not call.data or call.descriptor.startswith("/dev/null"):
            continue
        if call.name not in trace.WRITES:
            if (key := hash(call.data)) not in seen:
                seen.add(key)
                result.hits |= search.search(call.data, where, begins=False)
            continue
        passes = not call.descriptor.startswith("/")
        if passes:
            result.passed_bytes += len(call.data)
        elif (key := hash(call.data)) in seen:  # SQLite writes the same page again and again
            continue
        else:
            seen.add(key)
            result.hits |= search.search(call.data[:64], where)
        stream = streams.setdefault((call.thread if passes else "", call.descriptor), bytearray())
        stream += call.data
        if len(stream) > FLUSH:
            result.hits |= _stream(bytes(stream), call.descriptor, search)
            del stream[:-OVERLAP]
    for (_, descriptor), stream in streams.items():
        result.hits |= _stream(bytes(stream), descriptor, search)
    return {
        path for path in opened if not str(path).startswith(("/dev/", "/proc/")) or path in watched.shared
    }


def _stream(data: bytes, descriptor: str, search: Search) -> set[Hit]:
    """What was written to one descriptor. One without a path is a socket or pipe: the platform gets what is
    encrypted, the decoder media, and neither of them may get words."""
    if descriptor.startswith("/"):
        return search.search(data, f"bytes written to {search.shown(descriptor)}", begins=False)
    return search.words_only(data, f"bytes sent to {descriptor.partition('[')[0] or 'a descriptor'}")
