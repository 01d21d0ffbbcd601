"""Which system calls each process may make.

Recorder and collector run Python with its libraries: everything but what is listed. The decoder has all in
memory when it is confined: nothing but what is listed. Landlock sees paths and ports; here is what it does
not see, and once more what must not fail.
"""

import socket
from collections.abc import Sequence

from monitor.confinement.seccomp import Action, If, Rule

_ALLOW, _DENY, _UNKNOWN = Action.ALLOW, Action.DENY, Action.UNKNOWN

_ATTRIBUTES = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
    *("utime", "utimes", "utimensat", "futimesat", "file_setattr"),
)
"""A name, a time and an extended attribute can hold words; Landlock does not handle them."""

_KEPT_ELSEWHERE = (
    *("memfd_create", "memfd_secret", "mq_open", "mq_unlink", "shmget", "shmat", "semget", "msgget"),
    *("add_key", "request_key", "keyctl", "sethostname", "setdomainname"),
)
"""Memory, queues, keys and names that the kernel holds beyond the process."""

_OTHER_PROCESSES = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease"),
    *("pidfd_getfd", "kcmp", "perf_event_open"),
)
_KERNEL = (
    *("kexec_load", "kexec_file_load", "bpf", "userfaultfd", "syslog", "lookup_dcookie"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),  # they pass every filter by
    *("mount", "umount2", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree"),
    *("open_tree_attr", "mount_setattr", "pivot_root", "chroot", "unshare", "setns"),
    *("open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
    *("init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct"),
    *("quotactl", "quotactl_fd", "iopl", "ioperm", "modify_ldt", "vhangup", "execveat"),
)
_TREE = (
    *("creat", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat"),
    *("symlink", "symlinkat", "unlink", "unlinkat", "mknod", "mknodat", "truncate"),
)
_NEW_NAMESPACE = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_PR_SET_DUMPABLE = 4
_REFUSED_IOCTLS = (0x5412, 0x541C, 0x40086602, 0x401C5820)
"""TIOCSTI and TIOCLINUX type on a terminal; FS_IOC_SETFLAGS and FSSETXATTR mark a file open for reading."""
_HARMLESS_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_CREATE_TRUNCATE_APPEND = 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_CREAT, O_TRUNC, O_APPEND and the bit of O_TMPFILE, the same on both machines."""
_MSG_FASTOPEN = 0x20000000
_PROT_EXEC = 4
_KIND = 0xF  # of socket's second argument, without SOCK_CLOEXEC and SOCK_NONBLOCK


def _pointer(argument: int) -> tuple[tuple[If, ...], ...]:
    """Tests of which one holds when a pointer is not NULL."""
    return ((If(argument, 0, unless=True),), (If(argument, 0, unless=True, high=True),))


_IN_COMMON = (
    Rule(_DENY, (*_ATTRIBUTES, *_KEPT_ELSEWHERE, *_OTHER_PROCESSES, *_KERNEL)),
    Rule(_DENY, ("clone",), (If(0, 0, _NEW_NAMESPACE, unless=True),)),
    # What stands behind a pointer cannot be tested; the C library falls back to the older forms.
    Rule(_UNKNOWN, ("clone3", "openat2")),
    Rule(_DENY, ("prctl",), (If(0, _PR_SET_DUMPABLE), If(1, 0, unless=True))),
    *(Rule(_DENY, ("ioctl",), (If(1, request),)) for request in _REFUSED_IOCTLS),
    *(
        Rule(_ALLOW, ("socketpair",), (If(0, socket.AF_UNIX), If(1, kind, _KIND)))
        # Not datagrams: such a pair can still send to any path.
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
    ),
    # A descriptor received could be open for writing.
    Rule(_DENY, ("socketpair", "bind", "listen", "accept", "accept4", "recvmsg", "recvmmsg")),
    # An address outside connect() would pass Landlock's ports by (TCP Fast Open).
    *(Rule(_DENY, ("sendto",), tests) for tests in _pointer(4)),
    Rule(_DENY, ("sendmsg",), (If(2, 0, _MSG_FASTOPEN, unless=True),)),
    Rule(_DENY, ("sendmmsg",), (If(3, 0, _MSG_FASTOPEN, unless=True),)),
)
_TCP = tuple(
    # MPTCP and SCTP are streams too, and Landlock's ports do not hold for them.
    Rule(_ALLOW, ("socket",), (If(0, family), If(1, socket.SOCK_STREAM, _KIND), If(2, protocol)))
    for family in (socket.AF_INET, socket.AF_INET6)
    for protocol in (0, socket.IPPROTO_TCP)
)
_NO_SOCKET = (Rule(_DENY, ("socket", "connect")),)


def recorder(*, network: bool) -> tuple[Sequence[Rule], Action]:
    """Rules for the recorder, and what holds for all other calls."""
    sockets = (*_TCP, Rule(_DENY, ("socket",))) if network else _NO_SOCKET
    return (*_IN_COMMON, *sockets), _ALLOW


def collector() -> tuple[Sequence[Rule], Action]:
    """Rules for the collector, and what holds for all other calls."""
    return (
        *_IN_COMMON,
        *_TCP,
        Rule(_DENY, ("socket",)),
        Rule(_DENY, _TREE),
        Rule(_DENY, ("open",), (If(1, 0, _CREATE_TRUNCATE_APPEND, unless=True),)),
        Rule(_DENY, ("openat",), (If(2, 0, _CREATE_TRUNCATE_APPEND, unless=True),)),
        *(Rule(_ALLOW, ("ioctl",), (If(1, request),)) for request in _HARMLESS_IOCTLS),
        Rule(_DENY, ("ioctl",)),
    ), _ALLOW


def decoder() -> tuple[Sequence[Rule], Action]:
    """Rules for the decoder, and what holds for all other calls."""
    return (
        # No code but what is loaded.
        Rule(_DENY, ("mmap", "mprotect"), (If(2, 0, _PROT_EXEC, unless=True),)),
        *(Rule(_DENY, ("prlimit64",), tests) for tests in _pointer(2)),
        Rule(
            _ALLOW,
            (
                *("read", "write", "close", "exit", "exit_group", "restart_syscall", "getpid"),
                *("brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "prlimit64"),
                *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
                *("futex", "sched_yield", "sched_getaffinity", "getcpu", "membarrier", "rseq"),
                *("set_robust_list", "clock_gettime", "gettimeofday", "getrandom", "getrusage"),
            ),
        ),
    ), _DENY
