"""Telethon's errors → ours, in this one place. Only codes and names travel, never a foreign message."""

import struct

from telethon import errors
from telethon.errors.common import AuthKeyNotFound, InvalidBufferError, SecurityError

from monitor.errors import (
    AccountFrozen,
    ChannelError,
    ChannelGone,
    ChannelPrivate,
    ChannelRefused,
    FloodWait,
    InputError,
    MonitorError,
    PeerFlood,
    SessionRevoked,
    SourceUnavailable,
)
from monitor.model import AccountReason, AccountState, Refusal
from monitor.telegram.politeness import PEER_FLOOD_PAUSE

_REVOKED = (
    errors.AuthKeyDuplicatedError,
    errors.AuthKeyInvalidError,
    errors.AuthKeyPermEmptyError,
    errors.AuthKeyUnregisteredError,
    errors.SessionExpiredError,
    errors.SessionPasswordNeededError,
    errors.SessionRevokedError,
    errors.UserDeactivatedError,
)
_BANNED = (errors.UserDeactivatedBanError, errors.PhoneNumberBannedError)
_FROZEN = (errors.FrozenMethodInvalidError, errors.FrozenParticipantMissingError, *_BANNED)
_PASSING = (
    errors.ServerError,
    errors.TimedOutError,
    errors.RpcCallFailError,
    errors.RpcMcgetFailError,
    errors.InterdcCallErrorError,
    errors.InterdcCallRichErrorError,
    # What the platform has lost it may find again: `connect` tries for a while.
    AuthKeyNotFound,
    SecurityError,
    InvalidBufferError,
    # The connection ended in the middle of a packet, or before one (asyncio.IncompleteReadError).
    EOFError,
    OSError,
    TimeoutError,
    # A clock set beyond January 2038 while connected: no message can be numbered. `connect` says so.
    struct.error,
    EOFError,
)
_REFUSED = {
    errors.InviteRequestSentError: Refusal.JOIN_REQUEST,
    errors.UsernameInvalidError: Refusal.NOT_FOUND,
    errors.UsernameNotOccupiedError: Refusal.NOT_FOUND,
    errors.ChannelsTooMuchError: Refusal.ACCOUNT_FULL,
}
_ANSWERS = {
    errors.PhoneCodeInvalidError: "the code is wrong; ask for a new one by running the command again",
    errors.PhoneCodeEmptyError: "no code was given",
    errors.PhoneCodeExpiredError: "the code has expired; run the command again for a new one",
    errors.PasswordHashInvalidError: "the two-step password is wrong",
    errors.PhoneNumberInvalidError: "the phone number is not valid; write it with its country code, as +82…",
    errors.PhoneNumberUnoccupiedError: "nobody has signed up with this phone number; sign up in an app first",
    errors.ApiIdInvalidError: "api_id and api_hash do not belong together; check both in the configuration",
    errors.ApiIdPublishedFloodError: "this api_id is published and blocked; get one of your own",
    errors.AccessTokenInvalidError: "the bot token is not valid",
    errors.AccessTokenExpiredError: "the bot token has expired",
}


def map_error(error: BaseException, request: str) -> MonitorError | None:
    """Our error for a foreign one raised by `request` (its name); None for what is not known here."""
    if isinstance(error, MonitorError):
        return error
    if isinstance(error, errors.FloodError):
        seconds = getattr(error, "seconds", None)
        # A flood error without seconds (FROZEN_METHOD_INVALID) does not end by waiting.
        return AccountFrozen(_frozen(request)) if seconds is None else FloodWait(max(int(seconds), 1))
    if isinstance(error, errors.PeerFloodError):
        return PeerFlood(PEER_FLOOD_PAUSE)
    if isinstance(error, _FROZEN):
        return AccountFrozen(_frozen(request))
    if isinstance(error, _REVOKED):
        return SessionRevoked(
            "the account is not signed in, or its session was ended elsewhere; run: monitor login"
        )
    for kind, reason in _REFUSED.items():
        if isinstance(error, kind):
            return ChannelRefused(reason)
    for kind, words in _ANSWERS.items():
        if isinstance(error, kind):
            return InputError(words)
    if isinstance(error, errors.ChannelPrivateError):
        return ChannelPrivate(Refusal.PRIVATE.explanation)
    if isinstance(error, errors.ChannelInvalidError | errors.ChatForbiddenError | errors.PeerIdInvalidError):
        return ChannelGone(Refusal.GONE.explanation)
    if isinstance(error, _PASSING):
        return SourceUnavailable(
            f"{request}: the platform did not answer as it should ({type(error).__name__})"
        )
    if isinstance(error, errors.RPCError):
        return ChannelError(f"{request}: the platform refused it ({type(error).__name__})")
    return None


def standing(error: BaseException) -> tuple[AccountState, AccountReason] | None:
    """What a foreign error says of the account itself; None when it says nothing of it."""
    if isinstance(error, _BANNED):
        return AccountState.FROZEN, AccountReason.BANNED
    if isinstance(error, _FROZEN):
        return AccountState.FROZEN, AccountReason.FROZEN
    if isinstance(error, errors.AuthKeyDuplicatedError):
        return AccountState.REVOKED, AccountReason.KEY_DUPLICATED
    if isinstance(error, _REVOKED):
        return AccountState.REVOKED, AccountReason.SIGNED_OUT
    return None


def _frozen(request: str) -> str:
    return (
        f"the platform has frozen or banned the account ({request} refused); nothing helps but its own appeal"
    )
