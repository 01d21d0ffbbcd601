"""An authorization ends by command while a daemon runs; and a channel is left where that is asked for."""

import hashlib
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import load
from monitor.model import Authorization, Basis, Channel, ChannelState, Declaration, Refusal
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.client import connect
from monitor.telegram.connection import Connection
from monitor.telegram.joining import leave, stand, to_leave
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Cluster, FloodWait, World
from tests.e2e.site import AUTHORIZATION, Site, channel, eventually, lines, site, stop

PATIENCE = 90.0
"""Seconds: other tests share the machine, and authorizations are looked at every half minute."""
NOW = datetime(2026, 11, 22, tzinfo=UTC)
GRANTED = Authorization(
    "R-1", "the owner", Basis.OWNER_CONSENT, NOW.replace(year=2020), NOW.replace(year=2099)
)


@pytest.mark.prove
def test_a_revocation_stops_a_running_daemon_and_holds_until_another_reference(tmp_path: Path) -> None:
    posting = [{"username": name, "posts": 5, "live_per_second": 5} for name in ("goes_on", "is_revoked")]
    declared = [channel("goes_on"), channel("is_revoked")]
    with site(tmp_path, {"channels": posting}, channels=declared, operator="analyst-7") as place:
        place.login()

        def standing(name: str) -> tuple[str, str | None]:
            shown = lines(place.monitor("channels", "list", "--json").stdout)
            return next((c["state"], c["reason"]) for c in shown if c["username"] == name)

        def recorded(name: str) -> int:
            found = place.rows("SELECT username FROM messages JOIN channels USING (channel_id)")
            return found.count((name,))

        def revoke(name: str, reason: str = "the owner asked") -> tuple[int, str]:
            done = place.monitor("channels", "revoke", name, "--reason", reason, "--as", "analyst-7")
            return done.returncode, done.stdout + done.stderr

        with place.running() as daemon:
            eventually(lambda: min(recorded("goes_on"), recorded("is_revoked")) > 5, "posts", PATIENCE)
            assert revoke("nobody_one")[0] == 2
            assert revoke("is_revoked", " ")[0] == 2
            assert revoke("is_revoked") == (
                0,
                "is_revoked: revoked; a running daemon stops within half a minute\n",
            )
            assert revoke("@IS_REVOKED") == (0, "IS_REVOKED: was revoked already\n")
            assert standing("is_revoked") == ("stopped", "authorization_revoked")
            eventually(lambda: "reason=authorization_revoked" in place.log(), "the daemon's stop", PATIENCE)
            stopped = recorded("is_revoked")
            # Neither the same reference nor further time under it brings it back.
            longer = {"authorization": AUTHORIZATION | {"valid_until": "2100-01-01"}}
            place.write(channels=[channel("goes_on"), channel("is_revoked") | longer])
            assert place.monitor("reload").returncode == 0
            before = recorded("goes_on")
            eventually(lambda: recorded("goes_on") > before + 10, "further posts of the other", PATIENCE)
            assert standing("is_revoked") == ("stopped", "authorization_revoked")
            assert recorded("is_revoked") == stopped
            renewed = {"authorization": AUTHORIZATION | {"reference": "TEST-2"}}
            place.write(channels=[channel("goes_on"), channel("is_revoked") | renewed])
            assert place.monitor("reload").returncode == 0
            eventually(lambda: recorded("is_revoked") > stopped, "posts under the new one", PATIENCE)
            place.write(channels=[channel("goes_on")])
            assert place.monitor("reload").returncode == 0
            assert revoke("is_revoked")[0] == 5
            assert stop(daemon) == 0
        (body,) = place.rows("SELECT body FROM events WHERE type = 'authorization_revoked'")[0]
        assert b'"explanation":"the owner asked"' in body
        assert b'"operator":"analyst-7"' in body
        assert b'"reference":"TEST-1"' in body


def test_an_authorization_is_checked_and_printed_as_it_is_declared(tmp_path: Path) -> None:
    place = Site(tmp_path)
    place.write(channels=[channel("goes_on")])
    (tmp_path / "signed.pdf").write_bytes(b"signed")
    options = {
        "--reference": "TEST-2",
        "--basis": "owner_consent",
        "--granted-by": "Владелец: the owner",
        "--valid-from": "2026-01-01",
        "--valid-until": "2026-12-31",
        "--document": str(tmp_path / "signed.pdf"),
    }

    def authorize(name: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        given = options | {f"--{key.replace('_', '-')}": value for key, value in changes.items()}
        return place.monitor(
            "channels", "authorize", name, *(part for pair in given.items() for part in pair)
        )

    printed = authorize("@New_One")
    assert printed.returncode == 0, printed.stderr
    assert "put it under channels:" in printed.stderr
    assert "replace its authorization" in authorize("goes_on").stderr
    assert "another reference" in authorize("goes_on", reference="TEST-1").stderr
    place.config.write_text(printed.stdout)
    (declared,) = load(place.config).declarations()
    assert declared.username == "new_one"
    assert declared.authorization is not None
    assert declared.authorization.granted_by == "Владелец: the owner"
    assert declared.authorization.document_sha256 == hashlib.sha256(b"signed").digest()
    for name, changes, said in (
        ("https://t.me/+abc", {}, "invite link"),
        ("new_one", {"valid_until": "soon"}, "authorization.valid_until: is not a date"),
        ("new_one", {"valid_until": "2025-01-01"}, "valid_until lies before valid_from"),
        ("new_one", {"basis": "curiosity"}, "authorization.basis"),
        ("new_one", {"document": "/no/such"}, "cannot be read"),
    ):
        done = authorize(name, **changes)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


# -- leaving

ENDED = Channel(
    "is_revoked",
    ChannelState.STOPPED,
    GRANTED,
    Refusal.REVOKED,
    leave_when_ended=True,
)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    world = World(seed=7)
    world.user(phone="15550001", code="22222")
    async with Cluster(world) as cluster:
        yield cluster


async def joined(connection: Connection) -> Channel:
    """The channel of the world, joined."""
    standing = await stand(connection, Declaration("is_revoked", GRANTED), None, NOW)
    assert standing.profile is not None
    return replace(ENDED, profile=standing.profile)


async def test_a_channel_is_left_once_and_can_be_joined_again(cluster: Cluster) -> None:
    account = next(iter(cluster.world.users.values()))
    news = cluster.world.channel("is_revoked")
    session = StoredSession("main")
    endpoint = Endpoint(1, cluster.host, cluster.port(1), cluster.public_key.encode())
    async with connect(session, Credentials(1, "0" * 32), endpoint, signed_in=False) as connection:
        answers = iter(("+15550001", "22222"))
        await sign_in(connection, by_phone(lambda question, secret: next(answers)))
        known = await joined(connection)
        assert account.id in news.members
        (wanted,) = to_leave([known])
        cluster.faults.add("channels.leaveChannel", FloodWait(1), count=1)
        assert await leave(connection, wanted)
        assert account.id not in news.members
        assert wanted not in session.peers
        assert session.changed.is_set()
        assert not await leave(connection, wanted)
        assert [entry.name for entry in cluster.journal].count("channels.leaveChannel") == 2
        known = await joined(connection)
        assert account.id in news.members
        # Whoever has left by hand, or was removed, has nothing left to do.
        news.leave(account)
        assert await leave(connection, wanted)
        assert wanted not in session.peers


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, True),
        ({"reason": Refusal.EXPIRED}, True),
        ({"reason": Refusal.NO_AUTHORIZATION, "authorization": None}, True),
        ({"leave_when_ended": False}, False),
        ({"reason": Refusal.PRIVATE}, False),
        ({"reason": Refusal.NAME_MOVED}, False),
        ({"state": ChannelState.DECLARED, "reason": None}, False),
        ({"state": ChannelState.COLLECTING, "reason": None}, False),
        ({"profile": None}, False),
    ],
)
def test_a_channel_is_left_when_its_authorization_has_ended_and_that_is_asked_for(
    changes: dict[str, object], left: bool
) -> None:
    from tests.contract.making import CHANNEL, profile

    known = replace(ENDED, **({"profile": profile()} | changes))
    assert to_leave([known]) == ([CHANNEL] if left else [])
    other = replace(
        ENDED, username="other_name", profile=profile(), state=ChannelState.COLLECTING, reason=None
    )
    assert to_leave([known, other]) == []
