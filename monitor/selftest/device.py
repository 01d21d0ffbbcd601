"""A file system of its own for the folder that is watched, so that freed blocks can be searched as well."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE = 256 * 1024 * 1024
CHUNK = 4 * 1024 * 1024


def available() -> bool:
    """Whether this machine may make and mount one."""
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("mkfs.ext4", "mount", "umount"))


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[bool]:
    """Mount a fresh file system at `folder`, kept in the file `image`; false where that is not possible.

    Afterwards it is unmounted and `image` holds every block.
    """
    if not available():
        yield False
        return
    with image.open("wb") as file:
        file.truncate(SIZE)
    made = _run("mkfs.ext4", "-q", "-F", str(image)) and _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield made
    finally:
        if made and not _run("umount", str(folder)):
            _run("umount", "--lazy", str(folder))


def chunks(image: Path, overlap: int) -> Iterator[bytes]:
    """The device's bytes in pieces that overlap; pieces of zeros are left out."""
    with image.open("rb") as file:
        before = b""
        while piece := file.read(CHUNK):
            if before.strip(b"\0") or piece.strip(b"\0"):
                yield before + piece
            before = piece[-overlap:]


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 — tools of the machine
