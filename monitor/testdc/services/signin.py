"""auth.* and account.getPassword: sign-in by code and two-step password or by a bot's token, and authorization
on another data centre."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.posts import User
from monitor.testdc.session import AuthKey
from monitor.testdc.srp import Exchange, algorithm


@dataclass
class LoginToken:
    """What a QR code shows: asked for under `key`, good until `expires` (Unix seconds), accepted by `user`."""

    key: AuthKey
    expires: int
    user: User | None = None


@dataclass
class SignIns:
    """Sign-ins on their way: code hashes, password exchanges, exported authorizations, login tokens and the
    seconds that these last."""

    codes: dict[str, User] = field(default_factory=dict)
    exchanges: dict[int, Exchange] = field(default_factory=dict)
    exports: dict[bytes, tuple[User, int]] = field(default_factory=dict)
    tokens: dict[bytes, LoginToken] = field(default_factory=dict)
    token_life: float = 30.0


def _send_code(call: Call) -> Any:
    user = call.world.by_phone(call.request.phone_number)
    if user is None:
        raise RpcError(400, "PHONE_NUMBER_INVALID")
    if user.dc != call.dc:
        raise RpcError(303, f"PHONE_MIGRATE_{user.dc}")
    code_hash = call.cluster.random.randbytes(9).hex()
    call.cluster.sign_ins.codes[code_hash] = user
    return types.auth.SentCode(types.auth.SentCodeTypeApp(len(user.code or "")), code_hash)


def _resend_code(call: Call) -> Any:
    user = call.cluster.sign_ins.codes.get(call.request.phone_code_hash)
    if user is None:
        raise RpcError(400, "PHONE_CODE_EXPIRED")
    code_type = types.auth.SentCodeTypeSms(len(user.code or ""))
    return types.auth.SentCode(code_type, call.request.phone_code_hash)


def _sign_in(call: Call) -> Any:
    request = call.request
    user = call.world.by_phone(request.phone_number)
    if not request.phone_code:
        raise RpcError(400, "PHONE_CODE_EMPTY")
    if user is None or call.cluster.sign_ins.codes.get(request.phone_code_hash) is not user:
        raise RpcError(400, "PHONE_CODE_EXPIRED")
    if request.phone_code != user.code:
        raise RpcError(400, "PHONE_CODE_INVALID")
    del call.cluster.sign_ins.codes[request.phone_code_hash]
    return one_step(call, user)


def _import_bot(call: Call) -> Any:
    bot = call.world.by_token(call.request.bot_auth_token)
    if bot is None:
        raise RpcError(400, "ACCESS_TOKEN_INVALID")
    if bot.dc != call.dc:
        raise RpcError(303, f"USER_MIGRATE_{bot.dc}")
    return _signed_in(call, bot)


def one_step(call: Call, user: User) -> Any:
    """The authorization of who gave a code or was let in by a token. Raises `RpcError` where a password is
    owed."""
    if user.password is not None:
        call.session.key.halfway = user
        raise RpcError(401, "SESSION_PASSWORD_NEEDED")
    return _signed_in(call, user)


def _signed_in(call: Call, user: User) -> Any:
    key = call.session.key
    key.account, key.halfway = user, None
    return types.auth.Authorization(call.render.user(user, user))


def _get_password(call: Call) -> Any:
    key = call.session.key
    user = key.account or key.halfway
    if user is None:
        raise RpcError(401, "AUTH_KEY_UNREGISTERED")
    noise = call.cluster.random.randbytes
    new = algorithm(noise(8), noise(16))
    secure = types.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000(noise(8))
    if user.password is None:
        return types.account.Password(new, secure, noise(256))
    exchange = Exchange(user.password, call.cluster.random)
    call.cluster.sign_ins.exchanges[exchange.id] = exchange
    return types.account.Password(
        new,
        secure,
        noise(256),
        has_password=True,
        current_algo=exchange.algorithm,
        srp_B=exchange.public,
        srp_id=exchange.id,
    )


def _check_password(call: Call) -> Any:
    key, check = call.session.key, call.request.password
    user = key.halfway
    if user is None:
        raise RpcError(401, "AUTH_KEY_UNREGISTERED")
    exchange = call.cluster.sign_ins.exchanges.pop(getattr(check, "srp_id", 0), None)
    if exchange is None:
        raise RpcError(400, "SRP_ID_INVALID")
    if not exchange.proves(check.A, check.M1):
        raise RpcError(400, "PASSWORD_HASH_INVALID")
    return _signed_in(call, user)


def _log_out(call: Call) -> Any:
    call.session.key.account = call.session.key.halfway = None
    call.session.updates = False
    return types.auth.LoggedOut()


def _export(call: Call) -> Any:
    target = call.request.dc_id
    if target == call.dc or target not in call.cluster.dc_ids:
        raise RpcError(400, "DC_ID_INVALID")
    ticket = call.cluster.random.randbytes(64)
    call.cluster.sign_ins.exports[ticket] = (call.account, target)
    return types.auth.ExportedAuthorization(call.account.id, ticket)


def _import(call: Call) -> Any:
    # A ticket serves once, at the data centre it was made for.
    user, target = call.cluster.sign_ins.exports.pop(call.request.bytes, (None, 0))
    if user is None or target != call.dc:
        raise RpcError(400, "AUTH_BYTES_INVALID")
    if user.id != call.request.id:
        raise RpcError(400, "USER_ID_INVALID")
    return _signed_in(call, user)


_OPEN = {
    functions.auth.SendCodeRequest: _send_code,
    functions.auth.ResendCodeRequest: _resend_code,
    functions.auth.SignInRequest: _sign_in,
    functions.auth.ImportBotAuthorizationRequest: _import_bot,
    functions.auth.CheckPasswordRequest: _check_password,
    functions.account.GetPasswordRequest: _get_password,
    functions.auth.LogOutRequest: _log_out,
    functions.auth.ImportAuthorizationRequest: _import,
}
_EXPORT = {functions.auth.ExportAuthorizationRequest: _export}
SERVICE = Service({**_OPEN, **_EXPORT}, open=frozenset(_OPEN), bots=frozenset(_EXPORT))
