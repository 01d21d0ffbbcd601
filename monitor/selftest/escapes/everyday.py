"""What Python works with every day, and a decoder must do without."""

import contextlib
import mmap
import os
import socket
import subprocess
import threading

from monitor.selftest.escapes.attempts import MB, Targets, attempt


@attempt
def read_a_file(t: Targets) -> None:
    t.victim.read_bytes()


@attempt
def list_a_folder(t: Targets) -> None:
    os.listdir(t.folder)


@attempt
def ask_whether_a_file_is_there(t: Targets) -> None:
    os.stat(t.victim)


@attempt
def start_a_program(t: Targets) -> None:
    subprocess.run(["/bin/true"])


@attempt
def become_a_program(t: Targets) -> None:
    # Refused by the filter, it is EACCES; by the kernel, for want of such a file, ENOENT.
    with contextlib.suppress(FileNotFoundError):
        os.execv("/nonexistent", ["nonexistent"])


@attempt
def fork(t: Targets) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


@attempt
def thread(t: Targets) -> None:
    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()


@attempt
def code_made_in_memory(t: Targets) -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


@attempt
def signal_oneself(t: Targets) -> None:
    os.kill(os.getpid(), 0)


@attempt
def socket_pair(t: Targets) -> None:
    for end in socket.socketpair():
        end.close()


@attempt
def too_much_memory(t: Targets) -> None:
    mmap.mmap(-1, t.memory + MB).close()
