"""Sign-in at the test data centre, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from telethon import errors
from telethon.sessions import MemorySession
from telethon.tl import functions, types

from monitor.testdc import Cluster, User, World


async def test_nobody_is_signed_in_at_first(open_client: Any) -> None:
    client = await open_client()
    assert not await client.is_user_authorized()
    with pytest.raises(errors.AuthKeyUnregisteredError):
        await client(functions.updates.GetStateRequest())


async def test_the_right_code_signs_in(open_client: Any, alice: User) -> None:
    client = await open_client()
    await client.send_code_request("+1 555 0001")
    me = await client.sign_in("+1 555 0001", "22222")
    assert (me.id, me.first_name, me.phone) == (alice.id, "Alice", "15550001")
    assert await client.is_user_authorized()


async def test_a_wrong_code_does_not(open_client: Any, alice: User) -> None:
    client = await open_client()
    await client.send_code_request(alice.phone)
    with pytest.raises(errors.PhoneCodeInvalidError):
        await client.sign_in(alice.phone, "11111")
    assert not await client.is_user_authorized()
    await client.sign_in(alice.phone, "22222")  # and the right one still does


async def test_a_code_serves_once_and_for_its_own_phone(open_client: Any, alice: User, world: World) -> None:
    bob = world.user(phone="15550009", code="22222")
    client = await open_client()
    sent = await client.send_code_request(alice.phone)
    with pytest.raises(errors.PhoneCodeExpiredError):
        await client.sign_in(bob.phone, "22222", phone_code_hash=sent.phone_code_hash)


async def test_a_code_can_be_asked_for_again(open_client: Any, alice: User) -> None:
    client = await open_client()
    await client.send_code_request(alice.phone)
    await client.send_code_request(alice.phone)
    assert await client.sign_in(alice.phone, "22222")


async def test_an_unknown_phone_is_invalid(open_client: Any) -> None:
    client = await open_client()
    with pytest.raises(errors.PhoneNumberInvalidError):
        await client.send_code_request("15559999")


async def test_two_step_password(open_client: Any, world: World) -> None:
    world.user(phone="15550002", code="33333", password="correct horse")
    client = await open_client()
    await client.send_code_request("15550002")
    with pytest.raises(errors.SessionPasswordNeededError):
        await client.sign_in("15550002", "33333")
    assert not await client.is_user_authorized()
    with pytest.raises(errors.PasswordHashInvalidError):
        await client.sign_in(password="wrong horse")
    me = await client.sign_in(password="correct horse")
    assert me.phone == "15550002"
    assert await client.is_user_authorized()


async def test_a_phone_at_home_elsewhere_migrates(open_client: Any, cluster: Cluster, world: World) -> None:
    world.user(phone="15550003", code="44444", dc=2)
    client = await open_client(dc=1)
    await client.send_code_request("15550003")
    assert client.session.dc_id == 2
    assert client.session.port == cluster.port(2)
    await client.sign_in("15550003", "44444")
    dcs = {entry.dc for entry in cluster.journal if entry.account == "15550003"}
    assert dcs == {2}


async def test_a_session_outlives_its_connection(open_client: Any, cluster: Cluster, alice: User) -> None:
    first = await open_client(alice)
    session = MemorySession()
    session.set_dc(1, cluster.host, cluster.port(1))
    session.auth_key = first.session.auth_key
    await first.disconnect()
    second = await open_client(session=session)
    assert (await second.get_me()).id == alice.id


async def test_logging_out_ends_the_sign_in(open_client: Any, cluster: Cluster, alice: User) -> None:
    client = await open_client(alice)
    key = client.session.auth_key
    assert await client.log_out()
    session = MemorySession()
    session.set_dc(1, cluster.host, cluster.port(1))
    session.auth_key = key
    assert not await (await open_client(session=session)).is_user_authorized()


async def test_a_revoked_session_is_told_so(client: Any, cluster: Cluster, alice: User) -> None:
    cluster.revoke(alice)
    with pytest.raises(errors.SessionRevokedError):
        await client(functions.updates.GetStateRequest())


async def test_a_lost_key_ends_the_client(client: Any, cluster: Cluster, alice: User) -> None:
    cluster.forget_keys(alice)
    with pytest.raises(errors.AuthKeyNotFound):
        await client.get_me()


async def test_an_exported_authorization_serves_once_and_at_its_own_place(client: Any) -> None:
    with pytest.raises(errors.DcIdInvalidError):
        await client(functions.auth.ExportAuthorizationRequest(1))
    exported = await client(functions.auth.ExportAuthorizationRequest(2))
    with pytest.raises(errors.AuthBytesInvalidError):
        await client(functions.auth.ImportAuthorizationRequest(exported.id, exported.bytes))


async def test_the_configuration_lists_both_data_centres(client: Any, cluster: Cluster) -> None:
    config = await client(functions.help.GetConfigRequest())
    assert config.this_dc == 1
    assert [(dc.id, dc.ip_address, dc.port) for dc in config.dc_options] == [
        (1, "127.0.0.1", cluster.port(1)),
        (2, "127.0.0.1", cluster.port(2)),
    ]
    assert (await client(functions.help.GetNearestDcRequest())).this_dc == 1


async def test_one_sees_oneself_and_others_by_their_hash(client: Any, world: World) -> None:
    bob = world.user(first_name="Bob", username="bobby", phone="15550009")
    full = await client(functions.users.GetFullUserRequest("me"))
    assert full.users[0].is_self
    entity = await client.get_entity("bobby")
    assert (entity.id, entity.phone) == (bob.id, None)
    [unknown] = await client(functions.users.GetUsersRequest([types.InputUser(bob.id, 1)]))
    assert isinstance(unknown, types.UserEmpty)


async def test_what_is_not_served_is_an_error_and_no_more(client: Any, cluster: Cluster) -> None:
    with pytest.raises(errors.InputMethodInvalidError):
        await client(functions.messages.GetStickersRequest("x", 0))
    assert cluster.requests("messages.getStickers")
    assert await client.get_me()
