"""Ways to write to files, to what is not quite a file, and to what is written about one."""

import ctypes
import fcntl
import os
import struct
import tempfile

from monitor.selftest.escapes.attempts import LIBC, Targets, attempt, call, checked, unsure


@attempt
def open_for_writing(t: Targets) -> None:
    os.open(t.victim, os.O_WRONLY)


@attempt
def open_for_both(t: Targets) -> None:
    os.open(t.victim, os.O_RDWR)


@attempt
def create(t: Targets) -> None:
    t.file("create").write_text("words")


@attempt
def append(t: Targets) -> None:
    os.write(os.open(t.victim, os.O_WRONLY | os.O_APPEND), b"words")


@attempt
def append_to_a_file_open_for_reading(t: Targets) -> None:
    os.write(os.open(f"/proc/self/fd/{t.reading}", os.O_WRONLY | os.O_APPEND), b"words")


@attempt
def write_where_a_file_was_left_open(t: Targets) -> None:
    os.write(t.writing, b"words")


@attempt
def lengthen_a_file_left_open(t: Targets) -> None:
    os.ftruncate(t.writing, 4096)


@attempt
def unnamed_temporary_file(t: Targets) -> None:
    os.open(t.folder, os.O_TMPFILE | os.O_WRONLY)


@attempt
def temporary_file(t: Targets) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"words")


@attempt
def shorten_by_name(t: Targets) -> None:
    os.truncate(t.victim, 1)


@attempt
def shorten_by_opening(t: Targets) -> None:
    os.open(t.victim, os.O_RDONLY | os.O_TRUNC)


@attempt
def openat2(t: Targets) -> None:
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0)
    path = os.fsencode(t.file("openat2"))
    checked(LIBC.syscall(ctypes.c_long(437), ctypes.c_long(-100), path, how, ctypes.c_long(24)))


@attempt
def rename(t: Targets) -> None:
    os.rename(t.folder / "to-rename", t.file("rename"))


@attempt
def hard_link(t: Targets) -> None:
    os.link(t.victim, t.file("link"))


@attempt
def symbolic_link(t: Targets) -> None:
    os.symlink("words", t.file("symlink"))


@attempt
def make_folder(t: Targets) -> None:
    os.mkdir(t.file("mkdir"))


@attempt
def remove_folder(t: Targets) -> None:
    os.rmdir(t.folder / "to-remove")


@attempt
def remove(t: Targets) -> None:
    os.unlink(t.folder / "to-unlink")


@attempt
def make_pipe(t: Targets) -> None:
    os.mkfifo(t.file("mkfifo"))


@unsure
def make_device(t: Targets) -> None:
    os.mknod(t.file("mknod"), 0o600 | 0o020000, os.makedev(1, 3))


# What these make is removed by the process that started this one: here removal may be refused, and the way
# out would look as if it had been held.


@attempt
def write_in_shared_memory(t: Targets) -> None:
    os.open(f"/dev/shm/{t.abstract}", os.O_CREAT | os.O_RDWR, 0o600)


@attempt
def shm_open(t: Targets) -> None:
    checked(LIBC.shm_open(f"/{t.abstract}".encode(), os.O_CREAT | os.O_RDWR, 0o600))


@unsure
def message_queue(t: Targets) -> None:
    call("mq_open", ctypes.c_char_p(t.abstract.encode()), os.O_CREAT | os.O_RDWR, 0o600, 0)


@attempt
def system_v_shared_memory(t: Targets) -> None:
    made = checked(LIBC.shmget(0, 4096, 0o1600))
    LIBC.shmctl(made, 0, None)


@attempt
def memory_file_to_run(t: Targets) -> None:
    os.memfd_create("words")


@unsure
def key_ring(t: Targets) -> None:
    call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"words"), ctypes.c_char_p(b"w"), 1, -1)


@attempt
def change_mode(t: Targets) -> None:
    os.chmod(t.victim, 0o640)


@attempt
def change_mode_of_a_file_open_for_reading(t: Targets) -> None:
    os.fchmod(t.reading, 0o644)


@attempt
def change_owner(t: Targets) -> None:
    os.chown(t.victim, os.getuid(), os.getgid())


@unsure
def extended_attribute(t: Targets) -> None:
    os.setxattr(t.victim, "user.words", b"words")


@unsure
def extended_attribute_of_a_file_open_for_reading(t: Targets) -> None:
    os.setxattr(t.reading, "user.words", b"words")


@attempt
def change_times(t: Targets) -> None:
    os.utime(t.victim, (1, 1))


@unsure
def change_flags(t: Targets) -> None:
    fcntl.ioctl(t.reading, 0x40086602, struct.pack("l", 0x40))  # FS_IOC_SETFLAGS, FS_NODUMP_FL
