"""messages.report: the menu that leads to a report (https://core.telegram.org/method/messages.report)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.services.channels import visible_channel
from monitor.testdc.world import Report


@dataclass(frozen=True)
class Entry:
    """One line of the menu: what it opens, or, at an end, whether a comment may or must follow."""

    text: str
    below: tuple[Entry, ...] = ()
    comment: bool = False
    comment_optional: bool = True


MENU = (
    Entry("I don't like it"),
    Entry(
        "Child abuse",
        (Entry("Child sexual abuse", comment=True), Entry("Child physical abuse", comment=True)),
    ),
    Entry("Violence", (Entry("Insults or false information"), Entry("Graphic or disturbing content"))),
    Entry("Illegal goods", (Entry("Weapons"), Entry("Drugs"), Entry("Other goods", comment=True))),
    Entry(
        "Illegal adult content",
        (
            Entry("Non-consensual sexual imagery", comment=True),
            Entry("Illegal sexual services"),
            Entry("Other illegal sexual content", comment=True),
        ),
    ),
    Entry("Personal data", (Entry("Private images", comment=True), Entry("Phone number"))),
    Entry("Scam or spam"),
    Entry("Copyright"),
    Entry("Other", comment=True, comment_optional=False),
)


def option_bytes(path: tuple[str, ...]) -> bytes:
    """The opaque bytes that stand for a line of the menu."""
    return hashlib.blake2b("\x1f".join(path).encode(), digest_size=6).digest()


def _walk(
    entries: tuple[Entry, ...], path: tuple[str, ...] = ()
) -> dict[bytes, tuple[tuple[str, ...], Entry]]:
    found: dict[bytes, tuple[tuple[str, ...], Entry]] = {}
    for entry in entries:
        here = (*path, entry.text)
        found[option_bytes(here)] = (here, entry)
        found.update(_walk(entry.below, here))
    return found


_OPTIONS = _walk(MENU)


def _report(call: Call) -> Any:
    request = call.request
    channel = visible_channel(call, request.peer)
    if not request.id or any(channel.get(post_id) is None for post_id in request.id):
        raise RpcError(400, "MESSAGE_ID_INVALID")
    if not request.option:
        return _choose((), MENU)
    if request.option not in _OPTIONS:
        raise RpcError(400, "OPTION_INVALID")
    path, entry = _OPTIONS[request.option]
    if entry.below:
        return _choose(path, entry.below)
    commented = call.cluster.report_comments
    asked = (call.account.id, channel.id, tuple(request.id), request.option)
    if entry.comment and not request.message and (asked not in commented or not entry.comment_optional):
        # An empty comment is accepted only once the client has been asked for one, and may leave it out.
        commented.add(asked)
        return types.ReportResultAddComment(request.option, optional=entry.comment_optional or None)
    commented.discard(asked)
    call.world.reports.append(
        Report(call.world.now(), call.account, channel.id, tuple(request.id), path, request.message)
    )
    return types.ReportResultReported()


def _choose(path: tuple[str, ...], entries: tuple[Entry, ...]) -> Any:
    options = [types.MessageReportOption(e.text, option_bytes((*path, e.text))) for e in entries]
    return types.ReportResultChooseOption(path[-1] if path else "Report", options)


SERVICE = Service({functions.messages.ReportRequest: _report})
