"""Commands run under strace, and every byte and name that they handed to the operating system.

strace writes one file for each thread, with strings in hex, so that nothing in them can look like a line of its
own, and with the kernel's own name of each descriptor: a file has a path, a socket or pipe has not.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg")
XATTR = ("setxattr", "lsetxattr", "fsetxattr")
NAMES = (
    *("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "memfd_create", "bind"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("execve", "execveat", "prctl", "shm_open"),
)
UNSEEN = ("sendfile", "splice", "copy_file_range", "vmsplice", "tee", "io_uring_setup", "process_vm_writev")
"""Calls that move bytes without showing them."""
LONGEST = 64 * 1024 * 1024
"""Bytes of one buffer that strace prints."""

_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_CALL = re.compile(r"(\w+)\((?:(\d+)<((?:\\x[0-9a-f]{2})*))?")
_OPENED = re.compile(r"<((?:\\x[0-9a-f]{2})+)(?:<[^<>]*>)?>(?:\(deleted\))?$")
_WRITABLE = ("O_WRONLY", "O_RDWR", "O_CREAT")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: its name, what its descriptor is (a path, "pipe:[…]", "TCP:[…]" …), and its strings.

    `seen` is false when bytes went that strace could not show. `opened` is the path of a file that was opened
    for writing.
    """

    name: str
    thread: str
    descriptor: str
    data: bytes
    seen: bool
    opened: str | None = None


def available() -> str | None:
    """Where strace is, if it is there and may trace."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    tried = subprocess.run(  # noqa: S603 — strace of the machine, on a command that does nothing
        [strace, *_options(), "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    return strace if tried.returncode == 0 else None


def traced(strace: str, into: Path, command: list[str]) -> list[str]:
    """The command that runs `command` under strace; what it did goes to files that begin with `into`."""
    return [strace, "-ff", *_options(), "-o", str(into), *command]


def _options() -> list[str]:
    calls = ",".join(f"?{name}" for name in (*WRITES, *XATTR, *NAMES, *UNSEEN, "mmap"))
    return ["-f", "-qq", "-yy", "-xx", "-v", "-s", str(LONGEST), "-e", "signal=none", "-e", f"trace={calls}"]


def calls(files: Iterator[Path]) -> Iterator[Call]:
    """The calls in strace's files, in order within each thread."""
    for file in files:
        with file.open(encoding="latin-1") as lines:
            for line in lines:
                if (call := parse(line, file.suffix)) is not None:
                    yield call


def parse(line: str, thread: str = "") -> Call | None:
    """One line of strace's output; None for those that hand nothing over (failed unseen calls, plain mappings)."""
    begin = _CALL.match(line)
    if begin is None:
        return None
    name, _, descriptor = begin.groups()
    where = _plain(descriptor or "").decode("utf-8", "surrogateescape")
    failed = " = -1 " in line or line.rstrip().endswith("= ?")
    if name == "mmap":
        return _mapping(line, thread, failed)
    if name in UNSEEN:
        return None if failed else Call(name, thread, where, b"", False)
    found = _STRING.findall(line)
    # Parts of one write belong together; names and arguments stand for themselves.
    data = (b"" if name in WRITES else b"\0").join(_plain(text) for text, _ in found)
    whole = not any(cut for _, cut in found)
    seen = whole and (bool(found) or failed or name not in WRITES or line.rstrip().endswith("= 0"))
    opened = None
    if name.startswith(("open", "creat")) and not failed and (name == "creat" or _for_writing(line)):
        path = _OPENED.search(line.rstrip())
        opened = _plain(path[1]).decode("utf-8", "surrogateescape") if path else None
    return Call(name, thread, where, data, seen, opened)


def _for_writing(line: str) -> bool:
    return any(flag in line for flag in _WRITABLE)


def _mapping(line: str, thread: str, failed: bool) -> Call | None:
    """A file's pages mapped for writing and shared: what is written there passes by every other call."""
    if failed or "MAP_SHARED" not in line or "PROT_WRITE" not in line:
        return None
    found = re.search(r"\d+<((?:\\x[0-9a-f]{2})+)", line)
    path = _plain(found[1]).decode("utf-8", "surrogateescape") if found else ""
    # SQLite's index of its write-ahead log is such a mapping; the file itself is searched.
    return None if not path or path.endswith("-shm") else Call("mmap", thread, path, b"", False)


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
