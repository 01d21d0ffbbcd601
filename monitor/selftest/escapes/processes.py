"""Ways out by other processes and by the kernel."""

import ctypes
import errno
import fcntl
import os
import resource
import struct
import subprocess
import sys
import threading

from monitor.selftest.escapes.attempts import LIBC, MB, Targets, attempt, call, checked, unsure


@attempt
def memory_of_oneself(t: Targets) -> None:
    os.open("/proc/self/mem", os.O_RDWR)


@unsure
def memory_of_another(t: Targets) -> None:
    os.open(f"/proc/{t.other}/mem", os.O_RDWR)


@unsure
def trace_another(t: Targets) -> None:
    call("ptrace", 0x4206, t.other, 0, 0)  # PTRACE_SEIZE, until this process ends


@unsure
def read_memory_of_another(t: Targets) -> None:
    local = (ctypes.c_size_t * 2)(0, 0)
    call("process_vm_readv", t.other, local, 1, local, 1, 0)


@unsure
def descriptor_of_another(t: Targets) -> None:
    call("pidfd_getfd", os.pidfd_open(t.other), 0, 0)


@attempt
def signal_another(t: Targets) -> None:
    os.kill(t.other, 0)


@attempt
def write_from_a_fork(t: Targets) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            t.file("fork").write_text("words")
            code = 0
        finally:
            os._exit(code)
    _succeeded(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@attempt
def write_from_a_thread(t: Targets) -> None:
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


@attempt
def shell_that_writes(t: Targets) -> None:
    shell = ["/bin/sh", "-c", f"echo words > '{t.file('shell')}'"]
    _succeeded(subprocess.run(shell, stderr=subprocess.PIPE).returncode)


@attempt
def interpreter_that_writes(t: Targets) -> None:
    code = f"open({str(t.file('python'))!r}, 'w').write('words')"
    _succeeded(subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE).returncode)


def _succeeded(code: int) -> None:
    if code:
        raise OSError(errno.EACCES, "the child failed")


@attempt
def io_uring(t: Targets) -> None:
    call("io_uring_setup", 1, ctypes.create_string_buffer(120))


@unsure
def program_in_the_kernel(t: Targets) -> None:
    call("bpf", 0, ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 128), 72)


@unsure
def page_faults(t: Targets) -> None:
    call("userfaultfd", 0)


@unsure
def counters_of_the_processor(t: Targets) -> None:
    event = ctypes.create_string_buffer(struct.pack("III", 1, 128, 0), 128)  # software, cpu clock
    call("perf_event_open", event, 0, -1, -1, 0)


@attempt
def dumpable_again(t: Targets) -> None:
    checked(LIBC.prctl(4, 1, 0, 0, 0))


@unsure
def limits_up_again(t: Targets) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MB, MB))
    except ValueError as e:  # Python's word for EPERM
        raise PermissionError(errno.EPERM, "the limit stays") from e


@unsure
def type_for_the_terminal(t: Targets) -> None:
    fcntl.ioctl(t.terminal, 0x5412, b"x")


# Last, as in a namespace of its own a process has lost what it may do elsewhere.


@unsure
def another_namespace(t: Targets) -> None:
    call("unshare", 0x10000000 | 0x20000)  # CLONE_NEWUSER | CLONE_NEWNS


@unsure
def mount(t: Targets) -> None:
    at = os.fsencode(t.folder / "mounted")
    checked(LIBC.mount(b"none", at, b"tmpfs", 0, None))
    LIBC.umount2(at, 2)
