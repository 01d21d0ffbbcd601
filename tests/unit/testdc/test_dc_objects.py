"""TL objects go there and back: through the client library's own encryption, and through the server's."""

from __future__ import annotations

import functools
import inspect
import io
import logging
import random
import struct
import time
import typing
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from telethon.crypto import AuthKey
from telethon.extensions import BinaryReader
from telethon.network.mtprotostate import MTProtoState
from telethon.tl import alltlobjects, functions, types
from telethon.tl.core.messagecontainer import MessageContainer

from monitor.testdc.bodies import (
    BadContainer,
    Outgoing,
    batches,
    contained,
    container,
    parse,
    result,
)
from monitor.testdc.envelope import EnvelopeError, Message, MessageIds, open_message, seal_message
from monitor.testdc.errors import RpcError

KEY = AuthKey(random.Random(1).randbytes(256))
CLASSES = sorted(alltlobjects.tlobjects.values(), key=lambda c: (c.__module__, c.__name__))
_BY_TYPE: dict[int, list[Any]] = defaultdict(list)
for _class in CLASSES:
    if ".functions" not in _class.__module__:
        _BY_TYPE[_class.SUBCLASS_OF_ID].append(_class)


SCHEMA = ("telethon.tl.types", "telethon.tl.functions")
DEEP = 3


class _Loggers(dict[str, logging.Logger]):
    def __missing__(self, name: str) -> logging.Logger:
        return logging.getLogger(name)


def client_state() -> Any:
    state = MTProtoState(KEY, _Loggers())
    state.salt = 5
    return state


def make(kind: Any, chance: random.Random, depth: int = 0) -> Any:
    """A random instance of a TL class, small and not too deep."""
    return kind(**{name: _value(of, chance, depth) for name, of in _fields(kind).items()})


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    if kind is types.CodeSettings:
        return {}  # the library writes an optional field of it that it cannot read back
    base = next(c for c in kind.__mro__ if c.__module__.startswith(SCHEMA))
    parameters = inspect.signature(base.__init__).parameters
    return {n: p.annotation for n, p in parameters.items() if n not in ("self", "args", "kwargs")}


def _value(annotation: Any, chance: random.Random, depth: int) -> Any:
    inner = typing.get_args(annotation)
    if type(None) in inner:
        wanted = depth < DEEP and chance.random() < 0.5
        return _value(inner[0], chance, depth) if wanted else None
    if typing.get_origin(annotation) is list:
        return [_value(inner[0], chance, depth) for _ in range(chance.randrange(3 if depth < DEEP else 1))]
    if annotation is int:
        return chance.randrange(2**31)
    if annotation is float:
        return float(chance.randrange(1000))
    if annotation is str:
        return "".join(chance.choices("aé漢😀 ", k=chance.randrange(300)))
    if annotation is bytes:
        return chance.randbytes(chance.randrange(300))
    if annotation is bool:
        return chance.random() < 0.5
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", "")
    if annotation is datetime or name == "datetime":
        return datetime.fromtimestamp(chance.randrange(1, 2**31), UTC)
    if name == "TypeX":  # any request: those that wrap another one
        return functions.PingRequest(chance.randrange(100))
    assume(name in _NAMED)
    candidates = _BY_TYPE[_NAMED[name]]
    if depth >= DEEP:
        candidates = sorted(candidates, key=lambda c: len(_fields(c)))[:1]
    return make(chance.choice(candidates), chance, depth + 1)


def _named_types() -> dict[str, int]:
    named = {}
    for space in (types, *(getattr(types, n) for n in dir(types) if inspect.ismodule(getattr(types, n)))):
        prefix = "" if space is types else space.__name__.rsplit(".", 1)[-1] + "."
        for name, value in vars(space).items():
            if name.startswith("Type"):
                first = next(iter(typing.get_args(value)), value)
                if identity := getattr(first, "SUBCLASS_OF_ID", None):
                    named[prefix + name] = identity
                    named.setdefault(name, identity)
    return named


_NAMED = _named_types()


@st.composite
def tl_objects(draw: st.DrawFn) -> Any:
    chance = draw(st.randoms(use_true_random=False))
    return make(chance.choice(CLASSES), chance)


def serialised(thing: Any) -> bytes:
    try:
        data: bytes = thing._bytes()
    except (AssertionError, struct.error, AttributeError, TypeError):
        # Fields that go only together, and classes that are generic: not instances of the schema.
        assume(False)
        raise
    return data


relaxed = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@relaxed
@given(tl_objects())
def test_what_a_client_sends_is_what_the_server_reads(thing: Any) -> None:
    data = serialised(thing)
    state, buffer = client_state(), io.BytesIO()
    # The client gzips what is large and shrinks.
    msg_id = state.write_data_as_message(buffer, data, content_related=True)
    message = open_message(KEY.key, state.encrypt_message_data(buffer.getvalue()))
    assert (message.salt, message.session_id, message.msg_id, message.seq_no) == (5, state.id, msg_id, 1)
    [(_, _, body)] = contained(message)
    assert parse(body)._bytes() == data


@relaxed
@given(tl_objects())
def test_what_the_server_sends_is_what_a_client_reads(thing: Any) -> None:
    data = serialised(thing)
    state = client_state()
    ids = MessageIds(time.time)
    outgoing = result(77, data)
    head = (5, state.id, ids.next(answer=True), 1, outgoing.body)
    received = state.decrypt_message_data(
        seal_message(KEY.key, KEY.key_id, Message(*head), random.Random(2).randbytes)
    )
    assert received.obj.req_msg_id == 77
    if isinstance(thing, types.RpcError):
        assert received.obj.error.error_code == thing.error_code
    else:
        assert BinaryReader(received.obj.body).tgread_object()._bytes() == data


@given(
    st.lists(st.binary(min_size=4, max_size=40).map(lambda b: b[: len(b) // 4 * 4]), min_size=2, max_size=9)
)
def test_a_container_holds_what_was_put_in(bodies: list[bytes]) -> None:
    pings = [types.Pong(number, len(body)) for number, body in enumerate(bodies)]
    packed = container([(n * 4 + 1, n, ping._bytes()) for n, ping in enumerate(pings)])
    assert [m.obj.ping_id for m in BinaryReader(packed.body).tgread_object().messages] == [
        ping.ping_id for ping in pings
    ]
    opened = contained(Message(0, 0, 4, 0, packed.body))
    assert opened == [(n * 4 + 1, n, ping._bytes()) for n, ping in enumerate(pings)]


def test_containers_in_containers_and_broken_ones_are_refused() -> None:
    inner = container([(1, 1, b"abcd")])
    for body in (
        container([(1, 1, inner.body)]).body,
        inner.body[:-4],
        struct.pack("<Ii", MessageContainer.CONSTRUCTOR_ID, 5000),
        struct.pack("<Ii", MessageContainer.CONSTRUCTOR_ID, -1),
    ):
        with pytest.raises(BadContainer):
            contained(Message(0, 0, 4, 0, body))


def test_answers_are_gzipped_where_that_makes_them_smaller() -> None:
    large, noise = (
        types.DataJSON("a" * 5000)._bytes(),
        types.DataJSON("")._bytes() + random.Random(1).randbytes(5000),
    )
    assert len(result(7, large).body) < 200
    assert BinaryReader(result(7, large).body).tgread_object().body == large
    assert len(result(7, large, compress=False).body) == len(large) + 12
    assert len(result(7, noise).body) == len(noise) + 12


def test_batches_keep_the_order_and_the_limits() -> None:
    messages = [Outgoing(bytes(200_000), True, True) for _ in range(5)] + [Outgoing(b"x", True, True)] * 2000
    heaps = list(batches(messages))
    assert [m for heap in heaps for m in heap] == messages
    assert [len(heap) for heap in heaps] == [2, 2, 1020, 981]


@given(st.binary(max_size=400))
def test_noise_is_an_error_never_a_crash(noise: bytes) -> None:
    try:
        parse(noise)
    except RpcError as refused:
        assert refused.message in ("INPUT_METHOD_INVALID", "INPUT_FETCH_ERROR")
    with pytest.raises(EnvelopeError):
        open_message(KEY.key, noise)


@settings(max_examples=50)
@given(st.integers(24, 200), st.integers(0, 7))
def test_one_flipped_bit_is_noticed(position: int, bit: int) -> None:
    state, buffer = client_state(), io.BytesIO()
    state.write_data_as_message(buffer, types.Pong(1, 2)._bytes() * 20, content_related=True)
    packet = bytearray(state.encrypt_message_data(buffer.getvalue()))
    assume(position < len(packet))
    packet[position] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        open_message(KEY.key, bytes(packet))


def test_message_ids_grow_and_tell_answers_apart() -> None:
    now = 1000.0
    ids = MessageIds(lambda: now)
    drawn = [ids.next(answer=n % 2 == 0) for n in range(100)]
    assert drawn == sorted(set(drawn))
    assert {i % 4 for i in drawn[::2]} == {1} and {i % 4 for i in drawn[1::2]} == {3}
    assert drawn[0] >> 32 == 1000
    now = 900.0
    assert ids.next(answer=True) > drawn[-1]
