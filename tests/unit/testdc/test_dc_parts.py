"""The parts of the test data centre that need no network."""

from __future__ import annotations

import asyncio
import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from telethon.crypto import rsa
from telethon.password import compute_check
from telethon.tl import functions, types

from monitor.testdc import Delay, Drop, Faults, FloodWait, Rpc, World, keys
from monitor.testdc.errors import RpcError
from monitor.testdc.journal import parameters, request_name
from monitor.testdc.photos import progressive_prefixes, render, stripped
from monitor.testdc.pictures import picture, pixels
from monitor.testdc.references import FileReferences
from monitor.testdc.services.history import page
from monitor.testdc.session import AuthKey, Session
from monitor.testdc.srp import Exchange
from monitor.testdc.transport import Abridged, Full, Intermediate, TransportError, accept

# Pages of history


@given(
    ids=st.sets(st.integers(1, 60)).map(sorted),
    offset_id=st.integers(0, 65),
    add_offset=st.integers(-70, 70),
    limit=st.integers(0, 30),
    max_id=st.integers(0, 65),
    min_id=st.integers(0, 65),
)
def test_a_page_equals_the_definition(
    ids: list[int], offset_id: int, add_offset: int, limit: int, max_id: int, min_id: int
) -> None:
    newest_first = ids[::-1]
    start = sum(1 for i in ids if offset_id and i >= offset_id) + add_offset
    expected = [
        i
        for position, i in enumerate(newest_first)
        if start <= position < start + limit and not (max_id and i >= max_id) and not (min_id and i <= min_id)
    ]
    before = sum(1 for i in ids if not offset_id or i < offset_id)
    assert (
        page(ids, before=before, add_offset=add_offset, limit=limit, max_id=max_id, min_id=min_id) == expected
    )


# Transports


async def _read(data: bytes) -> bytes:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await (await accept(reader)).read(reader)


@given(st.integers(1, 2000), st.sampled_from(["full", "abridged", "intermediate"]))
def test_every_transport_is_known_by_its_first_bytes(words: int, name: str) -> None:
    packet = random.Random(words).randbytes(words * 4)
    framed = {
        "full": lambda: Full(b"").frame(packet),
        "abridged": lambda: b"\xef" + Abridged().frame(packet),
        "intermediate": lambda: b"\xee" * 4 + Intermediate().frame(packet),
    }[name]()
    assert asyncio.run(_read(framed)) == packet


def test_a_damaged_full_packet_is_refused() -> None:
    framed = bytearray(Full(b"").frame(b"12345678"))
    framed[10] ^= 1
    with pytest.raises(TransportError, match="checksum"):
        asyncio.run(_read(bytes(framed)))


# Keys and passwords


def test_the_public_key_is_what_clients_read_in_both_forms() -> None:
    rsa.add_key(keys.public_key_pem("pkcs1"), old=False)
    number = random.Random(1).getrandbits(1900)
    encrypted = pow(number, keys.EXPONENT, keys.MODULUS).to_bytes(256, "big")
    assert int.from_bytes(keys.decrypt(encrypted), "big") == number
    assert rsa.encrypt(keys.FINGERPRINT, b"data") is not None
    assert "BEGIN PUBLIC KEY" in keys.public_key_pem("spki")


def test_only_the_right_password_proves_itself() -> None:
    exchange = Exchange("correct", random.Random(3))
    question = types.account.Password(
        None, None, b"", current_algo=exchange.algorithm, srp_B=exchange.public, srp_id=exchange.id
    )
    right, wrong = compute_check(question, "correct"), compute_check(question, "wrong")
    assert exchange.proves(right.A, right.M1)
    assert not exchange.proves(wrong.A, wrong.M1)
    assert not exchange.proves(b"\0" * 256, right.M1)


# Sessions


def test_heads_of_messages_are_checked() -> None:
    session = Session(1, AuthKey(1, b"", 0))
    now = 1_000_000

    def at(second: float, low: int = 0) -> int:
        return (int(second * 2**32) & ~3) | low

    assert session.complaint(at(now), 1, content=True, now=now) is None
    assert session.complaint(at(now, 1), 3, content=True, now=now) == 18
    assert session.complaint(at(now - 301), 3, content=True, now=now) == 16
    assert session.complaint(at(now + 31), 3, content=True, now=now) == 17
    assert session.complaint(at(now + 1), 4, content=True, now=now) == 35
    assert session.complaint(at(now + 1), 3, content=False, now=now) == 34
    assert session.complaint(at(now + 1), 1, content=True, now=now) == 32
    assert session.complaint(at(now + 1), 3, content=True, now=now) is None
    assert session.complaint(at(now + 0.5), 1, content=True, now=now) is None  # merely late
    assert [session.next_seq_no(content=c) for c in (True, False, True)] == [1, 2, 3]


def test_a_message_that_comes_twice_is_known() -> None:
    session = Session(1, AuthKey(1, b"", 0))
    assert [session.repeated(msg_id) for msg_id in (4, 8, 4)] == [False, False, True]


# Faults


def test_faults_strike_in_their_order_and_number() -> None:
    faults = Faults(seed=1)
    faults.add("a.b", FloodWait(5), count=2)
    faults.add("a.b", Delay(1))
    faults.add("*", Drop("after"), count=1, after=1)
    struck = [faults.take("a.b", None) for _ in range(6)]
    assert struck == [Rpc(420, "FLOOD_WAIT_5")] * 2 + [Delay(1), None, Drop("after"), None]


def test_fractions_repeat_with_their_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add("*", Delay(1), count=None, fraction=0.2)
        return [faults.take("x", None) is not None for _ in range(1000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 150 < sum(drawn(1)) < 250


# The journal


def test_requests_are_named_as_in_the_schema_and_keep_no_secrets() -> None:
    request = functions.auth.SignInRequest("15550001", "hash", "22222")
    assert request_name(request) == "auth.signIn"
    assert parameters(request) == {"phone_number": "15550001"}
    assert request_name(functions.PingRequest(1)) == "ping"
    peer = types.InputPeerChannel(5, 6)
    request = functions.messages.ReportRequest(peer, [1, 2], b"x", "secret words")
    assert parameters(request) == {"peer": 5, "id": [1, 2], "option": b"x"}


# References


def test_references_live_as_long_as_they_are_meant_to() -> None:
    now = 100.0
    references = FileReferences(lambda: now, b"k" * 32, life=10)
    issued = references.issue(5)
    now = 110.0
    references.check(5, issued)
    for media_id, reference, error in (
        (6, issued, "FILE_REFERENCE_INVALID"),
        (5, issued[:-1], "FILE_REFERENCE_INVALID"),
        (5, b"", "FILE_REFERENCE_EMPTY"),
    ):
        with pytest.raises(RpcError, match=error):
            references.check(media_id, reference)
    now = 110.1
    with pytest.raises(RpcError, match="EXPIRED"):
        references.check(5, issued)
    fresh = references.issue(5)
    references.check(5, fresh)
    references.expire_all()
    with pytest.raises(RpcError, match="EXPIRED"):
        references.check(5, fresh)


# The world


def test_the_same_script_makes_the_same_world() -> None:
    def script(seed: int) -> tuple[object, ...]:
        world = World(clock=lambda: 1_700_000_000.0, seed=seed)
        alice, news = world.user(phone="15550001", code="1"), world.channel("example_news")
        photo = world.photo(picture(1, 60, 40))
        album = news.album([photo, photo])
        return (photo.id, photo.access_hash, album[0].grouped_id, world.access_hash(alice, news.id))

    assert script(7) == script(7) != script(8)


def test_a_channels_sequence_counts_every_change() -> None:
    world = World()
    news = world.channel("example_news")
    posts = [news.post(str(n)) for n in range(3)]
    assert ([post.id for post in posts], news.pts) == ([2, 3, 4], 5)
    news.edit(2, "x")
    news.delete(2, 4, 99)
    assert (news.pts, news.top, list(news.alive)) == (8, 3, [1, 3])
    assert [(c.kind.value, c.ids, c.pts, c.count) for c in news.since(5)] == [
        ("edit", (2,), 6, 1),
        ("delete", (2, 4), 8, 2),
    ]
    with pytest.raises(KeyError):
        news.edit(2, "gone")
    with pytest.raises(ValueError, match="taken"):
        world.channel("EXAMPLE_news")


# Photos and pictures


def test_transparent_and_turned_pictures_become_upright_jpegs() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (200, 100), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(render(out.getvalue())[-1].data)) as opened:
        assert opened.mode == "RGB" and opened.getpixel((5, 5)) == (255, 255, 255)
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(out, "JPEG", exif=exif)
    assert (render(out.getvalue())[-1].width, render(out.getvalue())[-1].height) == (100, 200)


def test_prefixes_grow_to_the_whole() -> None:
    out = io.BytesIO()
    Image.fromarray(pixels(1, 400, 300)).save(out, "JPEG", progressive=True)
    prefixes = progressive_prefixes(out.getvalue())
    assert list(prefixes) == sorted(set(prefixes)) and prefixes[-1] == len(out.getvalue())


def test_a_stripped_preview_is_small_and_has_its_shape() -> None:
    preview = stripped(picture(1, 400, 300))
    assert preview[:3] == bytes((1, 30, 40)) and len(preview) < 1000


def _signature(seed: int, width: int, height: int) -> np.ndarray:
    small = Image.fromarray(pixels(seed, width, height)).convert("L").resize((64, 64), Image.Resampling.BOX)
    return np.asarray(small).astype(float)


def _hash(luma: np.ndarray) -> np.ndarray:
    # The idea of PDQ: signs of the 256 lowest frequencies of a picture of 64 by 64, around their median.
    n, k = np.arange(64), np.arange(1, 17)[:, None]
    basis = np.cos(np.pi / 64 * (n + 0.5) * k)
    spectrum = basis @ luma @ basis.T
    return spectrum > np.median(spectrum)


def test_pictures_are_repeatable_scalable_and_far_from_each_other() -> None:
    assert picture(5) == picture(5)
    hashes = [_hash(_signature(seed, 320, 240)) for seed in range(12)]
    apart = [int((a != b).sum()) for n, a in enumerate(hashes) for b in hashes[:n]]
    assert min(apart) > 80
    scaled = [_hash(_signature(seed, 480, 360)) for seed in range(12)]
    assert max(int((a != b).sum()) for a, b in zip(hashes, scaled, strict=True)) <= 12


def test_pictures_are_rich_enough_for_a_perceptual_hash() -> None:
    for seed in range(12):
        luma = _signature(seed, 320, 240)
        steps = sum(np.trunc(np.abs(np.diff(luma, axis=axis)) * 100 / 255).sum() for axis in (0, 1))
        assert steps / 90 >= 100  # PDQ's measure of quality, whose best is 100
