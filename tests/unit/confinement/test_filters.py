"""The filters as programs, run by an interpreter of their eight instructions: on both machines, on any."""

import random
import re
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.confinement import filters
from monitor.confinement.seccomp import Action, If, Rule, program
from monitor.confinement.syscalls import NEWEST, NUMBERS

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = sorted(ARCHITECTURES)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def run(code: bytes, number: int, *arguments: int, architecture: int) -> int:
    """What classic BPF makes of one call (kernel: Documentation/networking/filter.rst)."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    value, at = 0, 0
    while True:
        operation, if_true, if_false, k = struct.unpack_from("=HBBI", code, at * 8)
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif operation == 0x54:
            value &= k
        elif operation == 0x15:
            at += if_true if value == k else if_false
        elif operation == 0x25:
            at += if_true if value > k else if_false
        elif operation == 0x06:
            return int(k)
        else:
            raise AssertionError(operation)


def answer(rules: tuple[Sequence[Rule], Action], machine: str, name: str, *arguments: int) -> int:
    code = program(*rules, machine)
    return run(code, NUMBERS[machine][name], *arguments, architecture=ARCHITECTURES[machine])


FILTERS = {
    "collector": filters.collector(),
    "recorder": filters.recorder(network=False),
    "recorder with a database": filters.recorder(network=True),
    "decoder": filters.decoder(),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", FILTERS)
def test_calls_of_another_machine_end_the_process_and_new_ones_are_unknown(name: str, machine: str) -> None:
    code = program(*FILTERS[name], machine)
    assert run(code, 1, architecture=0x40000003) == Action.KILL
    for number in (NEWEST + 1, 10_000, 0x40000000 | 1, 0xFFFFFFFF):
        assert run(code, number, architecture=ARCHITECTURES[machine]) == Action.UNKNOWN
    assert len(code) // 8 < 4096


@pytest.mark.parametrize("machine", MACHINES)
def test_a_collector_makes_tcp_sockets_alone(machine: str) -> None:
    flags = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    for family in range(50):
        for kind in range(1, 11):
            for protocol in (0, 6, 17, 132, 262):
                got = answer(FILTERS["collector"], machine, "socket", family, kind | flags, protocol)
                tcp = family in (2, 10) and kind == 1 and protocol in (0, 6)
                assert got == (Action.ALLOW if tcp else Action.DENY)


@pytest.mark.parametrize("machine", MACHINES)
def test_addresses_are_refused_wherever_in_a_pointer_the_bits_lie(machine: str) -> None:
    for pointer in (1, 0xFFFF, 1 << 32, 0x7FFF_0000_0000, 1 << 63):
        assert answer(FILTERS["collector"], machine, "sendto", 3, 0, 5, 0, pointer) == Action.DENY
        assert answer(FILTERS["decoder"], machine, "prlimit64", 0, 7, pointer, 0) == Action.DENY
    assert answer(FILTERS["collector"], machine, "sendto", 3, 0, 5, 0, 0) == Action.ALLOW
    assert answer(FILTERS["decoder"], machine, "prlimit64", 0, 7, 0, 1) == Action.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_namespaces_are_refused_and_threads_and_children_are_not(machine: str) -> None:
    thread = 0x3D0F00
    assert answer(FILTERS["collector"], machine, "clone", thread) == Action.ALLOW
    assert answer(FILTERS["collector"], machine, "clone", 17) == Action.ALLOW
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(FILTERS["recorder"], machine, "clone", thread | bit) == Action.DENY
    assert answer(FILTERS["collector"], machine, "clone3", 0) == Action.UNKNOWN
    assert answer(FILTERS["decoder"], machine, "clone", thread) == Action.DENY


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_open_to_one_process_alone(machine: str) -> None:
    creating = (-100 & 0xFFFFFFFF, 1, 0o100 | 1)
    assert answer(FILTERS["recorder"], machine, "openat", *creating) == Action.ALLOW
    assert answer(FILTERS["collector"], machine, "openat", *creating) == Action.DENY
    assert answer(FILTERS["collector"], machine, "openat", 0, 1, 0o2000000) == Action.ALLOW
    assert answer(FILTERS["decoder"], machine, "openat", 0, 1, 0) == Action.DENY
    assert answer(FILTERS["recorder"], machine, "socket", 2, 1, 0) == Action.DENY
    assert answer(FILTERS["recorder with a database"], machine, "socket", 2, 1, 0) == Action.ALLOW
    assert answer(FILTERS["decoder"], machine, "mprotect", 0, 4096, 5) == Action.DENY
    assert answer(FILTERS["decoder"], machine, "mprotect", 0, 4096, 3) == Action.ALLOW


def test_the_first_rule_that_fits_decides_as_a_plain_reading_of_the_rules_does() -> None:
    names = sorted(NUMBERS["x86_64"])
    chosen = random.Random(5)
    for _ in range(300):
        some = chosen.sample(names, 4)
        rules = [
            Rule(
                chosen.choice([Action.ALLOW, Action.DENY, Action.UNKNOWN]),
                tuple(chosen.sample(some, 2)),
                tuple(
                    If(
                        chosen.randrange(6),
                        chosen.randrange(3),
                        chosen.choice([0xFFFFFFFF, 1, 3]),
                        chosen.random() < 0.5,
                        chosen.random() < 0.3,
                    )
                    for _ in range(chosen.randrange(3))
                ),
            )
            for _ in range(chosen.randrange(6))
        ]
        code = program(rules, Action.DENY, "x86_64")
        for name in some:
            arguments = [chosen.randrange(4) | chosen.randrange(4) << 32 for _ in range(6)]
            got = run(code, NUMBERS["x86_64"][name], *arguments, architecture=ARCHITECTURES["x86_64"])
            assert got == plainly(rules, name, arguments)


def plainly(rules: list[Rule], name: str, arguments: list[int]) -> int:
    for rule in rules:
        if name in rule.calls and all(holds(test, arguments) for test in rule.tests):
            return rule.action
    return Action.DENY


def holds(test: If, arguments: list[int]) -> bool:
    half = arguments[test.argument] >> (32 if test.high else 0) & 0xFFFFFFFF
    return (half & test.mask == test.value) != test.unless


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers on this machine")
    text = HEADERS[machine].read_text()
    # aarch64's table gives a few calls under a name that stands for either width.
    defined = {
        name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)
    }
    known = {name: number for name, number in NUMBERS[machine].items() if name in defined}
    assert known == {name: defined[name] for name in known}
    assert len(known) > 100


@pytest.mark.parametrize("name", FILTERS)
def test_every_call_that_a_filter_names_is_in_the_tables(name: str) -> None:
    rules, _ = FILTERS[name]
    assert {call for rule in rules for call in rule.calls} <= set(NUMBERS["x86_64"])
