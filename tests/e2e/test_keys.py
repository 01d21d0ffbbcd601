"""Auth keys that the platform loses, finds again, or wants replaced: the last good one is never given up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from telethon.tl import functions

from monitor.errors import InputError, SessionRevoked, SourceUnavailable
from monitor.model import SessionState
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.client import connect
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Cluster, Drop, Rpc, User, World
from tests.e2e.site import CODE, PHONE

IDENTITY = Credentials(1, "0" * 32)
STATE = functions.updates.GetStateRequest()
QUICKLY = (0.1, 0.2, 0.4)


@dataclass
class Account:
    """A signed-in account, and what a store would hold of it."""

    user: User
    cluster: Cluster
    endpoint: Endpoint
    stored: SessionState

    def session(self) -> StoredSession:
        return StoredSession("main", self.stored)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    world = World(seed=7)
    user = world.user(phone=PHONE, code=CODE)
    async with Cluster(world, seed=7) as cluster:
        endpoint = Endpoint(1, cluster.host, cluster.port(1), cluster.public_key.encode())
        session = StoredSession("main")
        answers = iter((PHONE, CODE))
        async with connect(session, IDENTITY, endpoint, signed_in=False) as connection:
            assert session.state() is None, "a key without a sign-in is not worth storing"
            await sign_in(connection, by_phone(lambda question, secret: next(answers)))
        state = session.state()
        assert state is not None
        yield Account(user, cluster, endpoint, state)


async def test_a_key_that_is_found_again_is_used_again(account: Account) -> None:
    cluster = account.cluster
    cluster.forget_keys()
    asyncio.get_running_loop().call_later(0.2, cluster.recall_keys)
    session = account.session()
    async with connect(session, IDENTITY, account.endpoint, key_pauses=QUICKLY) as connection:
        assert await connection.call(STATE)
        assert session.state() == account.stored


async def test_a_key_that_is_lost_for_good_ends_with_the_remedy_and_stays_stored(account: Account) -> None:
    account.cluster.forget_keys()
    session = account.session()
    with pytest.raises(SessionRevoked, match=r"account main: .* run: monitor login main"):
        async with connect(session, IDENTITY, account.endpoint, key_pauses=QUICKLY):
            pass
    assert session.state() == account.stored
    assert not any(centre.keys for centre in account.cluster._dcs.values()), "no new key was made"


async def test_a_key_lost_on_a_living_connection_is_a_passing_trouble(account: Account) -> None:
    session = account.session()
    async with connect(session, IDENTITY, account.endpoint) as connection:
        account.cluster.forget_keys()
        with pytest.raises(SourceUnavailable):
            await connection.call(STATE)
    assert session.state() == account.stored


async def test_being_sent_elsewhere_does_not_cost_the_key(account: Account) -> None:
    session = account.session()
    async with connect(session, IDENTITY, account.endpoint) as connection:
        account.cluster.faults.add("updates.getState", Rpc(303, "USER_MIGRATE_2"))
        with pytest.raises((SessionRevoked, SourceUnavailable)):
            await connection.call(STATE)
        assert session.dc_id == 2 and session.auth_key is None, "Telethon has put the key away"
        assert session.state() == account.stored
    # The same session goes back to where it was signed in.
    async with connect(session, IDENTITY, account.endpoint) as connection:
        assert await connection.call(STATE)
        assert session.dc_id == 1


async def test_a_sign_in_that_fails_has_nothing_to_store(account: Account) -> None:
    session, answers = StoredSession("main"), iter((PHONE, "99999"))
    async with connect(session, IDENTITY, account.endpoint, signed_in=False) as connection:
        with pytest.raises(InputError):
            await sign_in(connection, by_phone(lambda question, secret: next(answers)))
    assert session.state() is None


async def test_a_test_data_centre_that_moved_is_followed(account: Account) -> None:
    session = account.session()
    session.restore()
    moved = Endpoint(1, "localhost", account.endpoint.port, account.endpoint.public_key)
    async with connect(session, IDENTITY, moved):
        state = session.state()
    assert state is not None and (state.host, state.auth_key) == ("localhost", account.stored.auth_key)


@pytest.mark.parametrize("when", ["before", "after", "middle"])
async def test_a_connection_that_breaks_is_a_passing_trouble(account: Account, when: Any) -> None:
    account.cluster.faults.add("help.getConfig", Drop(when))
    with pytest.raises(SourceUnavailable):
        async with connect(account.session(), IDENTITY, account.endpoint):
            pass
    async with connect(account.session(), IDENTITY, account.endpoint) as connection:
        account.cluster.faults.add("updates.getState", Drop(when))
        with pytest.raises(SourceUnavailable):
            await connection.call(STATE)
