"""messages.report: the menu that leads to a report (https://core.telegram.org/method/messages.report)."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.menu import Entry, option_bytes
from monitor.testdc.services.channels import visible_channel
from monitor.testdc.world import Report


def _report(call: Call) -> Any:
    request = call.request
    channel = visible_channel(call, request.peer)
    top, options = call.world.menu.read()
    if not request.id or any(channel.get(post_id) is None for post_id in request.id):
        raise RpcError(400, "MESSAGE_ID_INVALID")
    if not request.option:
        return _choose((), top)
    if request.option not in options:
        raise RpcError(400, "OPTION_INVALID")
    path, entry = options[request.option]
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
