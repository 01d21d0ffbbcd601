"""Run in a process of its own: confine it, then try every way out; prints what came of each as JSON.

`python -m tests.unit.confinement.escapes PROCESS TARGETS`: PROCESS is collector, decoder, recorder, or none
for the control run, which shows that the attempts are real. TARGETS is JSON, made by the test.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.confinement import confine_collector, confine_decoder, confine_recorder
from monitor.confinement.syscalls import NUMBERS

LIBC = ctypes.CDLL(None, use_errno=True)
ATTEMPTS: dict[str, Callable[["Targets"], object]] = {}
UNSURE: set[str] = set()
"""Attempts that a machine may refuse by itself: not root, no such file system, switched off."""
MB = 1 << 20


class Targets:
    """What there is to attack. All paths lie where no process may write."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.folder = Path(given["folder"])
        self.victim = self.folder / "victim"
        self.empty = self.folder / "empty"
        self.other_port: int = given["other_port"]
        self.udp_port: int = given["udp_port"]
        self.stream: str = given["stream"]
        self.datagram: str = given["datagram"]
        self.abstract: str = given["abstract"]
        self.other: int = given["other"]
        self.gift = socket.socket(fileno=given["gift"])
        self.reading = os.open(self.victim, os.O_RDONLY)
        self.writing = os.open(self.folder / "left-open", os.O_WRONLY | os.O_CREAT, 0o600)
        self.directory = os.open(self.folder, os.O_RDONLY)

    def file(self, name: str) -> Path:
        return self.folder / f"made-by-{name}"


def attempt(function: Callable[[Targets], object]) -> Callable[[Targets], object]:
    ATTEMPTS[function.__name__] = function
    return function


def unsure(function: Callable[[Targets], object]) -> Callable[[Targets], object]:
    UNSURE.add(function.__name__)
    return attempt(function)


def call(name: str, *arguments: Any) -> int:
    """A system call by name, all arguments as longs or pointers."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    number = NUMBERS[platform.machine()][name]
    return checked(LIBC.syscall(ctypes.c_long(number), *converted))


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# -- files


@attempt
def open_for_writing(t: Targets) -> object:
    return os.open(t.victim, os.O_WRONLY)


@attempt
def open_for_both(t: Targets) -> object:
    return os.open(t.victim, os.O_RDWR)


@attempt
def create(t: Targets) -> object:
    return t.file("create").write_text("words")


@attempt
def append(t: Targets) -> object:
    return os.write(os.open(t.victim, os.O_WRONLY | os.O_APPEND), b"words")


@attempt
def append_to_a_file_open_for_reading(t: Targets) -> object:
    return os.write(os.open(f"/proc/self/fd/{t.reading}", os.O_WRONLY | os.O_APPEND), b"words")


@attempt
def write_where_a_file_was_left_open(t: Targets) -> object:
    return os.write(t.writing, b"words")


@attempt
def map_a_file_left_open(t: Targets) -> object:
    return os.ftruncate(t.writing, 4096)


@attempt
def unnamed_temporary_file(t: Targets) -> object:
    return os.open(t.folder, os.O_TMPFILE | os.O_WRONLY)


@attempt
def temporary_file(t: Targets) -> object:
    with tempfile.TemporaryFile() as file:
        return file.write(b"words")


@attempt
def shorten_by_name(t: Targets) -> object:
    return os.truncate(t.victim, 1)


@attempt
def shorten_by_opening(t: Targets) -> object:
    return os.open(t.victim, os.O_RDONLY | os.O_TRUNC)


@attempt
def openat2(t: Targets) -> object:
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0)
    libc_path = os.fsencode(t.file("openat2"))
    return checked(LIBC.syscall(ctypes.c_long(437), ctypes.c_long(-100), libc_path, how, ctypes.c_long(24)))


@attempt
def rename(t: Targets) -> object:
    return os.rename(t.folder / "to-rename", t.file("rename"))


@attempt
def hard_link(t: Targets) -> object:
    return os.link(t.victim, t.file("link"))


@attempt
def symbolic_link(t: Targets) -> object:
    return os.symlink("words", t.file("symlink"))


@attempt
def make_folder(t: Targets) -> object:
    return os.mkdir(t.file("mkdir"))


@attempt
def remove_folder(t: Targets) -> object:
    return os.rmdir(t.folder / "to-remove")


@attempt
def remove(t: Targets) -> object:
    return os.unlink(t.folder / "to-unlink")


@attempt
def make_pipe(t: Targets) -> object:
    return os.mkfifo(t.file("mkfifo"))


@unsure
def make_device(t: Targets) -> object:
    return os.mknod(t.file("mknod"), 0o600 | 0o020000, os.makedev(1, 3))


@attempt
def write_in_shared_memory(t: Targets) -> object:
    path = f"/dev/shm/channel-monitor-escape-{os.getpid()}"  # noqa: S108 - the place is what is tried
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.unlink(path)
    return descriptor


@attempt
def shm_open(t: Targets) -> object:
    name = b"/channel-monitor-escape-%d" % os.getpid()
    checked(LIBC.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600))
    return LIBC.shm_unlink(name)


@attempt
def system_v_shared_memory(t: Targets) -> object:
    made = checked(LIBC.shmget(0, 4096, 0o1600))
    return LIBC.shmctl(made, 0, None)


@unsure
def message_queue(t: Targets) -> object:
    name = b"channel-monitor-escape-%d" % os.getpid()
    made = call("mq_open", ctypes.c_char_p(name), os.O_CREAT | os.O_RDWR, 0o600, 0)
    call("mq_unlink", ctypes.c_char_p(name))
    return made


@attempt
def memory_file_to_run(t: Targets) -> object:
    return os.memfd_create("words")


@unsure
def key_ring(t: Targets) -> object:
    return call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"words"), ctypes.c_char_p(b"w"), 1, -1)


# -- what is written about a file


@attempt
def change_mode(t: Targets) -> object:
    return os.chmod(t.victim, 0o640)


@attempt
def change_mode_of_a_file_open_for_reading(t: Targets) -> object:
    return os.fchmod(t.reading, 0o644)


@attempt
def change_owner(t: Targets) -> object:
    return os.chown(t.victim, os.getuid(), os.getgid())


@unsure
def extended_attribute(t: Targets) -> object:
    return os.setxattr(t.victim, "user.words", b"words")


@unsure
def extended_attribute_of_a_file_open_for_reading(t: Targets) -> object:
    return os.setxattr(t.reading, "user.words", b"words")


@attempt
def change_times(t: Targets) -> object:
    return os.utime(t.victim, (1, 1))


@unsure
def change_flags(t: Targets) -> object:
    return fcntl.ioctl(t.reading, 0x40086602, struct.pack("l", 0x40))  # FS_IOC_SETFLAGS, FS_NODUMP_FL


# -- other processes and the kernel


@attempt
def memory_of_oneself(t: Targets) -> object:
    return os.open("/proc/self/mem", os.O_RDWR)


@unsure
def memory_of_another(t: Targets) -> object:
    return os.open(f"/proc/{t.other}/mem", os.O_RDWR)


@unsure
def trace_another(t: Targets) -> object:
    call("ptrace", 0x4206, t.other, 0, 0)  # PTRACE_SEIZE
    return call("ptrace", 17, t.other, 0, 0)


@unsure
def read_memory_of_another(t: Targets) -> object:
    local = (ctypes.c_size_t * 2)(0, 0)
    return call("process_vm_readv", t.other, local, 1, local, 1, 0)


@unsure
def descriptor_of_another(t: Targets) -> object:
    return call("pidfd_getfd", os.pidfd_open(t.other), 0, 0)


@attempt
def signal_another(t: Targets) -> object:
    return os.kill(t.other, 0)


@attempt
def write_from_a_fork(t: Targets) -> object:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            t.file("fork").write_text("words")
            code = 0
        finally:
            os._exit(code)
    return _succeeded(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@attempt
def write_from_a_thread(t: Targets) -> object:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            t.file("thread").write_text("words")
        except OSError as e:
            errors.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return None


@attempt
def shell_that_writes(t: Targets) -> object:
    shell = ["/bin/sh", "-c", f"echo words > '{t.file('shell')}'"]
    return _succeeded(subprocess.run(shell, stderr=subprocess.PIPE).returncode)


@attempt
def interpreter_that_writes(t: Targets) -> object:
    code = f"open({str(t.file('python'))!r}, 'w').write('words')"
    return _succeeded(subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE).returncode)


def _succeeded(code: int) -> None:
    if code:
        raise OSError(errno.EACCES, "the child failed")


@attempt
def io_uring(t: Targets) -> object:
    return call("io_uring_setup", 1, ctypes.create_string_buffer(120))


@unsure
def another_namespace(t: Targets) -> object:
    return call("unshare", 0x10000000 | 0x20000)  # CLONE_NEWUSER | CLONE_NEWNS


@unsure
def mount(t: Targets) -> object:
    at = os.fsencode(t.folder / "mounted")
    checked(LIBC.mount(b"none", at, b"tmpfs", 0, None))
    return LIBC.umount2(at, 2)


@unsure
def program_in_the_kernel(t: Targets) -> object:
    return call("bpf", 0, ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 128), 72)


@unsure
def page_faults(t: Targets) -> object:
    return call("userfaultfd", 0)


@unsure
def counters_of_the_processor(t: Targets) -> object:
    event = ctypes.create_string_buffer(struct.pack("III", 1, 128, 0), 128)  # software, cpu clock
    return call("perf_event_open", event, 0, -1, -1, 0)


@attempt
def dumpable_again(t: Targets) -> object:
    return checked(LIBC.prctl(4, 1, 0, 0, 0))


@unsure
def limits_up_again(t: Targets) -> object:
    return resource.setrlimit(resource.RLIMIT_FSIZE, (MB, MB))


@unsure
def type_for_the_terminal(t: Targets) -> object:
    return fcntl.ioctl(t.directory, 0x5412, b"x")


# -- network


@attempt
def connect_elsewhere(t: Targets) -> object:
    with socket.socket() as s:
        return s.connect(("127.0.0.1", t.other_port))


@attempt
def connect_with_the_first_data(t: Targets) -> object:
    with socket.socket() as s:
        return s.sendto(b"words", 0x20000000, ("127.0.0.1", t.other_port))  # MSG_FASTOPEN


@attempt
def connect_with_the_first_message(t: Targets) -> object:
    with socket.socket() as s:
        return s.sendmsg([b"words"], (), 0x20000000, ("127.0.0.1", t.other_port))


@unsure
def connect_by_several_paths(t: Targets) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:  # IPPROTO_MPTCP
        return s.connect(("127.0.0.1", t.other_port))


@attempt
def datagram(t: Targets) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return s.sendto(b"words", ("127.0.0.1", t.udp_port))


@unsure
def raw_packet(t: Targets) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@unsure
def packet_of_the_wire(t: Targets) -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


@attempt
def routes(t: Targets) -> object:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


@attempt
def local_socket_by_path(t: Targets) -> object:
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect(t.stream)


@attempt
def local_socket_by_abstract_name(t: Targets) -> object:
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect("\0" + t.abstract)


@attempt
def local_datagram_from_a_pair(t: Targets) -> object:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        return ours.sendto(b"words", t.datagram)


@attempt
def listen(t: Targets) -> object:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.listen()


@attempt
def listen_on_any_port(t: Targets) -> object:
    with socket.socket() as s:
        return s.listen()


@attempt
def descriptor_as_a_gift(t: Targets) -> object:
    _, gifts, _, _ = socket.recv_fds(t.gift, 1, 1)
    return os.write(gifts[0], b"words")


# -- what the decoder alone may not


@attempt
def read_a_file(t: Targets) -> object:
    return t.victim.read_bytes()


@attempt
def list_a_folder(t: Targets) -> object:
    return os.listdir(t.folder)


@attempt
def ask_whether_a_file_is_there(t: Targets) -> object:
    return os.stat(t.victim)


@attempt
def start_a_program(t: Targets) -> object:
    return subprocess.run(["/bin/true"])


@attempt
def become_a_program(t: Targets) -> object:
    # Refused by the filter, it is EACCES; by the kernel, for want of such a file, ENOENT.
    try:
        os.execv("/nonexistent", ["nonexistent"])  # noqa: S606 - it is not there
    except FileNotFoundError:
        return None


@attempt
def fork(t: Targets) -> object:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)


@attempt
def thread(t: Targets) -> object:
    started = threading.Thread(target=lambda: None)
    started.start()
    return started.join()


@attempt
def code_made_in_memory(t: Targets) -> object:
    return mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


@attempt
def signal_oneself(t: Targets) -> object:
    return os.kill(os.getpid(), 0)


@attempt
def socket_pair(t: Targets) -> object:
    return [s.close() for s in socket.socketpair()]


@attempt
def too_much_memory(t: Targets) -> object:
    return len(bytearray(65 * MB))


def main(process: str, given: dict[str, Any]) -> None:
    """Confine, try everything, tell."""
    t = Targets(given)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if process == "collector":
        confine_collector([given["allowed_port"]], required=True)
    elif process == "decoder":
        confine_decoder(64 * MB, 60, required=True)
    elif process == "recorder":
        confine_recorder([Path(given["writable"])], required=True)
    told = {}
    for name, function in ATTEMPTS.items():
        try:
            function(t)
            told[name] = "escaped"
        except (OSError, RuntimeError, MemoryError, ValueError) as e:
            number = getattr(e, "errno", None)
            told[name] = errno.errorcode.get(number, "?") if number else type(e).__name__
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
