"""A program that leaks on purpose, in the way that its argument names; what to leak comes on standard input."""

import base64
import binascii
import gzip
import io
import json
import mmap
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path

WAYS: dict[str, Callable[[str, bytes], object]] = {}


def way(leak: Callable[[str, bytes], object]) -> Callable[[str, bytes], object]:
    WAYS[leak.__name__] = leak
    return leak


@way
def plain_text_in_a_log(text: str, media: bytes) -> None:
    Path("leak.log").write_text(f"12:00 INFO message: {text}")


@way
def utf_16(text: str, media: bytes) -> None:
    Path("leak.txt").write_bytes(text.encode("utf-16"))


@way
def hexadecimal(text: str, media: bytes) -> None:
    Path("leak.txt").write_bytes(binascii.hexlify(text.encode()))


@way
def base64_at_no_offset(text: str, media: bytes) -> None:
    Path("leak.txt").write_bytes(base64.b64encode(text.encode()))


@way
def base64_one_byte_later(text: str, media: bytes) -> None:
    Path("leak.txt").write_bytes(base64.b64encode(b"x" + text.encode()))


@way
def base64_two_bytes_later(text: str, media: bytes) -> None:
    Path("leak.txt").write_bytes(base64.urlsafe_b64encode(b"xy" + text.encode()))


@way
def repr_in_a_traceback(text: str, media: bytes) -> None:
    try:
        {}[text.encode()]  # type: ignore[index]
    except KeyError:
        traceback.print_exc()


@way
def exception_that_nobody_caught(text: str, media: bytes) -> None:
    raise KeyError(text)


@way
def compressed(text: str, media: bytes) -> None:
    Path("leak.bin").write_bytes(b"cache" + zlib.compress(text.encode(), 9))


@way
def gzipped(text: str, media: bytes) -> None:
    with gzip.open("leak.gz", "wb") as file:
        file.write(json.dumps({"text": text}).encode())


@way
def metadata_of_a_picture_copied(text: str, media: bytes) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(media)) as image:
        Path("exif.json").write_text(json.dumps({k: str(v) for k, v in image.getexif().items()}))


@way
def thumbnail_encoded_anew(text: str, media: bytes) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(media)) as image:
        image.resize((24, 18)).convert("RGB").save("thumbnail.jpg", quality=40)


def pixels_alone(media: bytes, kind: str, **settings: object) -> bytes:
    """A small copy of a picture without its comment, profile and EXIF: no byte of the media is left in it."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(media)) as image:
        small = image.resize((24, 18)).convert("RGB")
    Image.frombytes("RGB", small.size, small.tobytes()).save(out, kind, **settings)
    return out.getvalue()


@way
def thumbnail_in_a_column(text: str, media: bytes) -> None:
    with sqlite3.connect("leak.db") as db:
        db.execute("CREATE TABLE t (blob)")
        db.execute("INSERT INTO t VALUES (?)", (pixels_alone(media, "PNG"),))


@way
def thumbnail_in_a_cache(text: str, media: bytes) -> None:
    # Tables and resolution of its own: those of any two pictures are alike, and would be known as bytes of the media.
    thumbnail = pixels_alone(media, "JPEG", quality=40, optimize=True, dpi=(72, 71))
    Path("leak.cache").write_bytes(b"cache 1\n" + thumbnail)


@way
def slice_of_64_bytes(text: str, media: bytes) -> None:
    Path("leak.bin").write_bytes(b"some header" + media[-500:-436])


@way
def slice_in_base64(text: str, media: bytes) -> None:
    Path("leak.json").write_text(json.dumps({"part": base64.b64encode(media[-400:-340]).decode()}))


@way
def session_of_telethon(text: str, media: bytes) -> None:
    from telethon.sessions import SQLiteSession
    from telethon.tl import types

    session = SQLiteSession("leak")
    person = types.User(5, access_hash=6, first_name=text.split()[0], username="somebody", phone="15550000")
    session.process_entities(types.contacts.Contacts([], 0, [person]))
    session.save()
    session.close()


@way
def phone_as_an_integer(text: str, media: bytes) -> None:
    with sqlite3.connect("leak.db") as db:
        db.execute("CREATE TABLE entities (phone INTEGER)")
        db.execute("INSERT INTO entities VALUES (?)", (int(text.split()[-1]),))


@way
def name_of_a_file(text: str, media: bytes) -> None:
    Path(f"{text.split()[0]}.jpg").touch()


@way
def name_of_a_file_renamed(text: str, media: bytes) -> None:
    Path("harmless").touch()
    Path("harmless").rename(f"{text.split()[0]}.jpg")
    Path(f"{text.split()[0]}.jpg").rename("harmless")


@way
def name_of_a_folder_removed(text: str, media: bytes) -> None:
    Path(text.split()[0]).mkdir()
    Path(text.split()[0]).rmdir()


@way
def extended_attribute(text: str, media: bytes) -> None:
    Path("harmless").touch()
    os.setxattr("harmless", "user.note", text.encode())


@way
def temporary_file_deleted(text: str, media: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())


@way
def written_in_pieces(text: str, media: bytes) -> None:
    file = os.open("leak.txt", os.O_WRONLY | os.O_CREAT, 0o600)
    for character in text:
        os.write(file, character.encode())
    os.close(file)
    os.unlink("leak.txt")


@way
def mapped_file(text: str, media: bytes) -> None:
    Path("leak.bin").write_bytes(bytes(4096))
    with open("leak.bin", "r+b") as file, mmap.mmap(file.fileno(), 4096) as pages:
        pages[100 : 100 + len(text.encode())] = text.encode()


@way
def mapped_file_deleted(text: str, media: bytes) -> None:
    mapped_file(text, media)
    os.unlink("leak.bin")


@way
def further_column(text: str, media: bytes) -> None:
    with sqlite3.connect("monitor.db") as db:
        db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY)")
        db.execute("ALTER TABLE messages ADD COLUMN note TEXT")
        db.execute("INSERT INTO messages (note) VALUES (?)", (text,))


@way
def deleted_row(text: str, media: bytes) -> None:
    db = sqlite3.connect("leak.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t (note)")
    db.execute("INSERT INTO t VALUES (?)", (text,))
    db.execute("DELETE FROM t")
    os.kill(os.getpid(), signal.SIGKILL)  # the log stays


@way
def shared_memory_file(text: str, media: bytes) -> None:
    made = shared_memory.SharedMemory(create=True, size=4096)
    assert made.buf is not None
    made.buf[: len(text.encode())] = text.encode()
    made.close()
    made.unlink()


@way
def memory_file(text: str, media: bytes) -> None:
    os.write(os.memfd_create("leak"), text.encode())


@way
def argument_of_a_child(text: str, media: bytes) -> None:
    subprocess.run(["true", text], check=True)


@way
def environment_of_a_child(text: str, media: bytes) -> None:
    subprocess.run(["true"], env={"NOTE": text}, check=True)


@way
def standard_output(text: str, media: bytes) -> None:
    print(text)


@way
def standard_error(text: str, media: bytes) -> None:
    print(repr(text), file=sys.stderr)


@way
def core_dump(text: str, media: bytes) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.abort()


@way
def text_through_a_pipe(text: str, media: bytes) -> None:
    os.write(os.pipe()[1], text.encode())


@way
def text_through_a_socket(text: str, media: bytes) -> None:
    one, other = socket.socketpair()
    one.sendall(b"\x01\x02" + text.encode())
    other.recv(10)


@way
def copied_unseen(text: str, media: bytes) -> None:
    source = os.memfd_create("x")
    target = os.open("leak.bin", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(source, b"harmless")
    os.sendfile(target, source, 0, 8)


@way
def harmless(text: str, media: bytes) -> None:
    """No leak: the same kinds of call, without content; media through a socket, as it goes to the decoder."""
    Path("harmless.log").write_text("12:00 INFO channel joined channel=example_channel")
    one, other = socket.socketpair()
    one.sendall(media)
    other.recv(10)
    with sqlite3.connect("harmless.db") as db:
        db.execute("CREATE TABLE t (id INTEGER, digest BLOB)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(n, os.urandom(32)) for n in range(2000)])
    with tempfile.TemporaryFile() as file:
        file.write(b"nothing")


if __name__ == "__main__":
    WHAT = sys.stdin.buffer.read()
    TEXT, _, MEDIA = WHAT.partition(b"\0")
    WAYS[sys.argv[1]](TEXT.decode(), MEDIA)
