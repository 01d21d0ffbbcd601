"""auth.exportLoginToken and its kin: sign-in by a code that another session of the account scans
(https://core.telegram.org/api/qr-login)."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.posts import User
from monitor.testdc.services.signin import LoginToken, one_step

if TYPE_CHECKING:
    from monitor.testdc.cluster import Cluster


def _good(cluster: Cluster, token: bytes) -> LoginToken:
    known = cluster.sign_ins.tokens.get(token)
    if known is None:
        raise RpcError(400, "AUTH_TOKEN_INVALID")
    if known.user is None and cluster.clock() >= known.expires:
        raise RpcError(400, "AUTH_TOKEN_EXPIRED")
    return known


def accept(cluster: Cluster, token: bytes, user: User) -> LoginToken:
    """Lets the session that asked for the token in as `user`, and tells it. Raises `RpcError`."""
    known = _good(cluster, token)
    if known.user is not None:
        raise RpcError(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
    known.user = user
    cluster.tell(known.key, types.UpdateLoginToken())
    return known


def _export(call: Call) -> Any:
    cluster, key = call.cluster, call.session.key
    now = cluster.clock()
    for token, known in list(cluster.sign_ins.tokens.items()):
        if known.key is not key:
            continue
        if known.user is None:
            if now < known.expires:
                return types.auth.LoginToken(known.expires, token)
        elif known.user.dc != call.dc:
            return types.auth.LoginTokenMigrateTo(known.user.dc, token)
        else:
            return _let_in(call, token)
        del cluster.sign_ins.tokens[token]
    token = cluster.random.randbytes(32)
    expires = math.ceil(now + cluster.sign_ins.token_life)
    cluster.sign_ins.tokens[token] = LoginToken(key, expires)
    for user in call.world.users.values():
        if user.scans_after is not None:
            asyncio.get_running_loop().call_later(user.scans_after, _scan, cluster, token, user)
    return types.auth.LoginToken(expires, token)


def _scan(cluster: Cluster, token: bytes, user: User) -> None:
    with contextlib.suppress(RpcError):  # it has expired, or somebody was faster
        accept(cluster, token, user)


def _let_in(call: Call, token: bytes) -> Any:
    known = call.cluster.sign_ins.tokens.pop(token)
    if known.user is None:
        raise RpcError(400, "AUTH_TOKEN_INVALID")
    return types.auth.LoginTokenSuccess(one_step(call, known.user))


def _import(call: Call) -> Any:
    known = _good(call.cluster, call.request.token)
    if known.user is None or known.user.dc != call.dc:
        raise RpcError(400, "AUTH_TOKEN_INVALID")
    return _let_in(call, call.request.token)


def _accept(call: Call) -> Any:
    accept(call.cluster, call.request.token, call.account)
    now = int(call.cluster.clock())
    return types.Authorization(
        hash=call.cluster.random.getrandbits(62),
        device_model="test",
        platform="test",
        system_version="1",
        api_id=1,
        app_name="test",
        app_version="1",
        date_created=now,
        date_active=now,
        ip="127.0.0.1",
        country="",
        region="",
    )


_OPEN = {
    functions.auth.ExportLoginTokenRequest: _export,
    functions.auth.ImportLoginTokenRequest: _import,
}
SERVICE = Service({**_OPEN, functions.auth.AcceptLoginTokenRequest: _accept}, open=frozenset(_OPEN))
