"""users.* and contacts.*: oneself, and who bears a name."""

from __future__ import annotations

import re
from typing import Any

from telethon.tl import functions, types

from monitor.testdc.channel import Channel
from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.posts import User
from monitor.testdc.render import vector

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")


def find_user(call: Call, given: Any) -> User | None:
    """The user behind an InputUser or InputPeer; None for one that this account does not know."""
    if isinstance(given, types.InputUserSelf | types.InputPeerSelf):
        return call.account
    if not isinstance(given, types.InputUser | types.InputPeerUser):
        return None
    user = call.world.users.get(given.user_id)
    if user is None or given.access_hash != call.world.access_hash(call.account, user.id):
        return None
    return user


def _get_users(call: Call) -> Any:
    found = (find_user(call, given) for given in call.request.id)
    return vector(
        call.render.user(user, call.account) if user else types.UserEmpty(getattr(given, "user_id", 0))
        for user, given in zip(found, call.request.id, strict=True)
    )


def _get_full_user(call: Call) -> Any:
    user = find_user(call, call.request.id)
    if user is None:
        raise RpcError(400, "USER_ID_INVALID")
    full = types.UserFull(user.id, types.PeerSettings(), types.PeerNotifySettings(), common_chats_count=0)
    return types.users.UserFull(full, [], [call.render.user(user, call.account)])


def _resolve_username(call: Call) -> Any:
    name = call.request.username.removeprefix("@")
    if not _NAME.fullmatch(name):
        raise RpcError(400, "USERNAME_INVALID")
    bearer = call.world.by_name(name)
    if bearer is None or (isinstance(bearer, Channel) and not bearer.may_see(call.account)):
        raise RpcError(400, "USERNAME_NOT_OCCUPIED")
    if isinstance(bearer, Channel):
        chat = call.render.channel(bearer, call.account)
        return types.contacts.ResolvedPeer(types.PeerChannel(bearer.id), [chat], [])
    user = call.render.user(bearer, call.account)
    return types.contacts.ResolvedPeer(types.PeerUser(bearer.id), [], [user])


_HANDLERS = {
    functions.users.GetUsersRequest: _get_users,
    functions.users.GetFullUserRequest: _get_full_user,
    functions.contacts.ResolveUsernameRequest: _resolve_username,
}
SERVICE = Service(_HANDLERS, bots=frozenset(_HANDLERS))
