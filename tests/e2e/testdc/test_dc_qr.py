"""Sign-in by QR code at the test data centre (https://core.telegram.org/api/qr-login)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from monitor.testdc import Cluster, User, World
from monitor.testdc.errors import RpcError

EXPORT = functions.auth.ExportLoginTokenRequest(12345, "hash", [])


async def test_a_code_scanned_by_another_session_signs_in(
    open_client: Any, client: Any, alice: User, cluster: Cluster
) -> None:
    fresh = await open_client()
    shown = await fresh.qr_login()
    assert shown.url.startswith("tg://login?token=")
    waiting = asyncio.create_task(shown.wait(20))
    await asyncio.sleep(0.1)
    accepted = await client(functions.auth.AcceptLoginTokenRequest(shown.token))
    assert isinstance(accepted, types.Authorization)
    assert (await waiting).id == alice.id
    assert (await fresh.get_me()).id == alice.id
    with pytest.raises(errors.AuthTokenInvalidError):
        await client(functions.auth.AcceptLoginTokenRequest(shown.token))
    assert shown.token not in [entry.parameters.get("token") for entry in cluster.journal]


async def test_a_token_is_renewed_only_after_its_end(open_client: Any, cluster: Cluster, alice: User) -> None:
    cluster.sign_ins.token_life = 1
    fresh = await open_client()
    first = await fresh(EXPORT)
    assert (await fresh(EXPORT)).token == first.token
    await asyncio.sleep(2.1)
    with pytest.raises(RpcError, match="AUTH_TOKEN_EXPIRED"):
        cluster.accept_login(first.token, alice)
    second = await fresh(EXPORT)
    assert second.token != first.token and second.expires > first.expires
    cluster.accept_login(second.token, alice)
    with pytest.raises(RpcError, match="AUTH_TOKEN_ALREADY_ACCEPTED"):
        cluster.accept_login(second.token, alice)
    assert isinstance(await fresh(EXPORT), types.auth.LoginTokenSuccess)


async def test_whoever_scans_at_home_elsewhere_takes_the_session_there(
    open_client: Any, cluster: Cluster, world: World
) -> None:
    carol = world.user(phone="15550003", code="44444", dc=2, scans_after=0.1)
    fresh = await open_client(dc=1)
    shown = await fresh.qr_login()
    assert (await shown.wait(20)).id == carol.id
    assert fresh.session.dc_id == 2 and (await fresh.get_me()).id == carol.id


async def test_after_the_scan_a_password_may_be_owed(
    open_client: Any, cluster: Cluster, world: World
) -> None:
    dave = world.user(phone="15550004", code="55555", password="correct horse", scans_after=0.1)
    fresh = await open_client()
    shown = await fresh.qr_login()
    with pytest.raises(errors.SessionPasswordNeededError):
        await shown.wait(20)
    assert not await fresh.is_user_authorized()
    assert (await fresh.sign_in(password="correct horse")).id == dave.id


async def test_a_token_of_ones_own_making_is_refused(client: Any) -> None:
    with pytest.raises(errors.AuthTokenInvalidError):
        await client(functions.auth.AcceptLoginTokenRequest(b"made up"))
    with pytest.raises(errors.AuthTokenInvalidError):
        await client(functions.auth.ImportLoginTokenRequest(b"made up"))
