"""The errors of Channel Monitor. The class says who reacts.

MonitorError
├ ConfigError                                        exit 2, before anything is opened
├ InputError                                         exit 2, a command's argument or file is bad
├ NotPermitted                                       exit 5, the person who acts may not
├ ItemError       MediaGone, MediaTooLarge, MediaUndecodable, MediaEmpty,
│                 MediaOnCdn                         recorded on the item, go on
├ ChannelError    ChannelGone, NotAuthorized, ChannelPrivate, ChannelRefused stop that channel, alert
├ RetryableError  FloodWait(seconds) and its PeerFlood, BudgetSpent;
│                 SourceUnavailable, MediaUnavailable, StoreBusy,
│                 MailUnavailable                                            back off
├ HashListError                                      refuse the new version, keep the old one, alert
├ FatalError      SessionRevoked, AccountFrozen, StoreCorrupt,
│                 StoreUnavailable, LogUnavailable, NoNetwork, MailRefused,
│                 MailUncertain                                              exit 3
└ VerificationError                                  exit 4

A message of ours says what is wrong, where, and what to do; it never quotes a foreign exception's text,
which may hold words from a message. `exit_code` is what the command line ends with.
"""

from typing import ClassVar

from monitor.model import Refusal


class MonitorError(Exception):
    """Any error that this project raises on purpose."""

    exit_code: ClassVar[int] = 3


class ConfigError(MonitorError):
    """The configuration cannot be used; nothing was opened."""

    exit_code = 2


class InputError(MonitorError):
    """An argument, an answer or a file given to a command cannot be used; nothing was written."""

    exit_code = 2


class NotPermitted(MonitorError):
    """Who acts is unknown, disabled, or has no role for it; nothing was written."""

    exit_code = 5


class ItemError(MonitorError):
    """One media item cannot be hashed; the outcome is recorded on it."""


class MediaGone(ItemError):
    """The message or its media is no longer there."""


class MediaTooLarge(ItemError):
    """The media is larger than the configured limit."""


class MediaUndecodable(ItemError):
    """The bytes are not a picture that can be decoded within the limits."""


class MediaEmpty(ItemError):
    """The server gave no bytes."""


class MediaOnCdn(ItemError):
    """The platform sends us to a content delivery network for the file, which is not followed."""


class ChannelError(MonitorError):
    """One channel cannot be collected; the others go on."""


class ChannelGone(ChannelError):
    """The channel was deleted, banned, or this account was removed from it."""


class ChannelPrivate(ChannelError):
    """The channel is not public, or no longer."""


class NotAuthorized(ChannelError):
    """No authorization is in force for what was asked."""

    exit_code = 5


class ChannelRefused(ChannelError):
    """The channel may not be joined; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.explanation)
        self.reason = reason


class RetryableError(MonitorError):
    """Try again later."""


class FloodWait(RetryableError):
    """The platform asks for a pause of `seconds` before the same kind of request."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"the platform asks for a pause of {seconds} s; no such request leaves before it ends"
        )
        self.seconds = seconds


class PeerFlood(FloodWait):
    """The platform finds that the account asks too much of others: no joins for `seconds`."""


class BudgetSpent(FloodWait):
    """An account's own budget is spent for `seconds` to come; nothing was asked.

    Whoever plans for the platform's pauses plans for these too.
    """

    def __init__(self, seconds: int) -> None:
        RetryableError.__init__(self, f"the account's own budget allows no such request for {seconds} s")
        self.seconds = seconds


class SourceUnavailable(RetryableError):
    """The platform cannot be reached, or answers with an internal error."""


class MediaUnavailable(RetryableError):
    """The platform does not give one item now, though it answers; others are not concerned."""


class StoreBusy(RetryableError):
    """The store is locked by another process."""


class MailUnavailable(RetryableError):
    """The mail server cannot be reached, or asks to come again; the mail was surely not sent."""


class HashListError(MonitorError):
    """A hash list, or its new version, is refused as a whole."""

    exit_code = 2


class FatalError(MonitorError):
    """The daemon cannot go on."""


class SessionRevoked(FatalError):
    """The account is not signed in, or no longer."""


class AccountFrozen(FatalError):
    """The platform has frozen or banned the account."""


class StoreCorrupt(FatalError):
    """The store cannot be read as what it should be."""


class StoreUnavailable(FatalError):
    """The store cannot be opened or written: no such file, no right to it, the disk is full."""


class LogUnavailable(FatalError):
    """The report log cannot be opened or written; its events wait in the store."""


class NoNetwork(FatalError):
    """A command that runs once cannot reach the platform."""


class MailRefused(FatalError):
    """The mail server does not take the mail, and will not; it was surely not sent."""


class MailUncertain(FatalError):
    """The connection ended while the mail was handed over: nobody can tell whether it was sent."""


class VerificationError(MonitorError):
    """Something that should prove itself does not."""

    exit_code = 4


def leading(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to speak of: one of ours, fatal before retryable, else whatever came first."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [group]
    while stack:
        error = stack.pop(0)
        if isinstance(error, BaseExceptionGroup):
            stack[:0] = error.exceptions
        else:
            leaves.append(error)
    ours = sorted(
        (e for e in leaves if isinstance(e, MonitorError)), key=lambda e: isinstance(e, RetryableError)
    )
    return (ours or leaves)[0]
