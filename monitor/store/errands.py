"""Reports in the app that people ask for.

An errand is one message, reported once through one account. What may have arrived is never sent again but by a
person's word; what has not left yet can be taken back, and is when the same message is asked for anew.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    LONGEST_COMMENT,
    LONGEST_PATH,
    Approval,
    ChannelId,
    ChannelState,
    ErrandFailure,
    ErrandState,
    EventType,
    Label,
    MessageId,
    Refusal,
    Scalar,
)
from monitor.store import events
from monitor.store.cases import CaseRecord, case_of, read
from monitor.store.errand_rows import OPEN, concerned, forget_menu, menu_of, row_of, spelled, withdraw
from monitor.store.events import LONGEST_DECLARED, Salt
from monitor.store.flags import link
from monitor.store.schema import channels, errands, flags, messages

Check = Callable[[CaseRecord], None]
"""Raises when nothing of a case may leave."""
_GONE_OUT = (ErrandState.SENDING.value, ErrandState.SENT.value, ErrandState.UNKNOWN.value)


def request(
    conn: Connection,
    salt: Salt,
    channel_id: ChannelId,
    message_id: MessageId,
    path: Sequence[str],
    comment: str | None,
    approval: Approval,
    operator: str,
    explanation: str | None,
    report_id: int | None,
    may_leave: Check | None,
    at: datetime,
) -> int:
    """Ask for a report; see `SqlStore.report_in_app`."""
    _check(path, comment, explanation)
    if report_id is not None and may_leave is not None:
        may_leave(read(conn, case_of(conn, report_id)))
    account = _account(conn, channel_id)
    _flagged(conn, channel_id, message_id)
    item = and_(
        errands.c.account == account,
        errands.c.channel_id == channel_id,
        errands.c.message_id == message_id,
    )
    before = conn.execute(select(errands).where(item).order_by(errands.c.errand_id)).mappings().all()
    for row in before:
        if row["state"] in OPEN:
            withdraw(conn, salt, row["errand_id"], ErrandFailure.WITHDRAWN, operator, at)
        forget_menu(conn, row["errand_id"])
    out = [row for row in before if row["state"] in _GONE_OUT]
    if out:
        _may_go_again(out[-1], explanation)
    return int(
        conn.execute(
            insert(errands)
            .values(
                report_id=report_id,
                account=account,
                channel_id=channel_id,
                message_id=message_id,
                again=len(out),
                operator=operator,
                requested_at=at,
                approved_by=approval.by,
                approved_at=approval.at,
                path=spelled(path),
                comment=comment,
                explanation=explanation if out else None,
                state=ErrandState.WAITING.value,
                steps=0,
                commented=False,
                hidden=0,
            )
            .returning(errands.c.errand_id)
        ).scalar_one()
    )


def _check(path: Sequence[str], comment: str | None, explanation: str | None) -> None:
    for text in path:
        try:
            Label(text)
        except ValueError:
            raise InputError(
                f"--choose: {text[:80]!r} is no line of the menu: printable, 64 characters at most"
            ) from None
    if len(path) > LONGEST_PATH:
        raise InputError(f"--choose: {len(path)} choices; {LONGEST_PATH} at most")
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise InputError(f"--comment: {len(comment)} characters; {LONGEST_COMMENT} at most")
    if explanation is not None and not 0 < len(explanation.strip()) <= LONGEST_DECLARED:
        raise InputError(f"--again: takes a reason, of at most {LONGEST_DECLARED} characters")


def _account(conn: Connection, channel_id: ChannelId) -> str:
    row = conn.execute(select(channels).where(channels.c.channel_id == channel_id)).mappings().first()
    if row is None:
        raise InputError(f"channel {channel_id}: is not on record; monitor channels list shows what is")
    if row["state"] != ChannelState.COLLECTING or row["account"] is None:
        why = Refusal(row["reason"]).explanation if row["reason"] else "it was not joined yet"
        raise NotAuthorized(f"{row['username']}: is not collected, so nothing is asked about it: {why}")
    return str(row["account"])


def _flagged(conn: Connection, channel_id: ChannelId, message_id: MessageId) -> None:
    found = conn.execute(
        select(messages.c.deleted_seen_at).where(
            messages.c.channel_id == channel_id, messages.c.message_id == message_id
        )
    ).one_or_none()
    flagged = select(func.count()).where(flags.c.channel_id == channel_id, flags.c.message_id == message_id)
    if found is None or conn.execute(flagged).scalar_one() == 0:
        raise InputError(f"message {message_id}: carries no flag; only what matched a list can be reported")
    if found.deleted_seen_at is not None:
        raise InputError(f"message {message_id}: was deleted; there is nothing left to report")


def _may_go_again(last: Mapping[Any, Any], explanation: str | None) -> None:
    number, state = last["errand_id"], ErrandState(last["state"])
    if state is ErrandState.SENDING:
        raise InputError(f"message {last['message_id']}: is being reported right now (errand {number})")
    if explanation is None:
        arrived = (
            "was reported" if state is ErrandState.SENT else "may have been reported: no answer was heard"
        )
        raise InputError(
            f"message {last['message_id']}: {arrived} (errand {number}); "
            "one report of a message and account is sent, unless you say why another is needed: --again REASON"
        )


def answer(conn: Connection, errand_id: int, choice: str | None, comment: str | None) -> None:
    """What a person chose, or has to say; see `SqlStore.answer_errand`."""
    row = row_of(conn, errand_id)
    if row["state"] != ErrandState.ASKING:
        raise InputError(f"errand {errand_id}: does not ask for anything any more")
    path = json.loads(row["path"])
    if choice is not None:
        if choice not in menu_of(conn, errand_id):
            raise InputError(f"{choice[:80]!r}: is not what the menu offers")
        path.append(choice)
    _check(path, comment, None)
    values = {"path": spelled(path), "state": ErrandState.WAITING.value}
    if comment is not None:
        values["comment"] = comment
    forget_menu(conn, errand_id)
    conn.execute(update(errands).where(errands.c.errand_id == errand_id).values(values))


def note(conn: Connection, salt: Salt, errand_id: int, operator: str, explanation: str, at: datetime) -> None:
    """Take note of a failure; see `SqlStore.note_errand`."""
    row = row_of(conn, errand_id)
    if row["state"] in OPEN:
        withdraw(conn, salt, errand_id, ErrandFailure.WITHDRAWN, operator, at)
    elif row["state"] not in (ErrandState.FAILED, ErrandState.UNKNOWN):
        raise InputError(f"errand {errand_id}: is {row['state']}; there is nothing to take note of")
    conn.execute(update(errands).where(errands.c.errand_id == errand_id).values(seen_by=operator))
    forget_menu(conn, errand_id)
    body: dict[str, Scalar] = {
        "errand": errand_id,
        "report_id": row["report_id"],
        "operator": operator,
        "explanation": explanation,
        "noted": True,
    }
    link(conn, events.handed_in(conn, salt, EventType.ITEM_NOT_REPORTED, body, at), concerned(conn, row))
