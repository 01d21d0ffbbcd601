"""The contract of ports.Store: reports in the app, none of which is sent twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    MOST_LABELS,
    Approval,
    ChannelId,
    Errand,
    ErrandFailure,
    ErrandState,
    Event,
    EventType,
    InAppReport,
    Label,
    MessageId,
    Refusal,
    Told,
)
from monitor.ports import Store
from monitor.store import SqlStore, open_store
from monitor.wire import METHODS
from tests.contract.conftest import Opened
from tests.contract.making import (
    CHANNEL,
    START,
    batch,
    declared,
    gone,
    later,
    matched,
    message,
    picture,
    profile,
)

APPROVED = Approval("second-person", START)
MENU = (Label("Child abuse"), Label("Other"))
S = ErrandState


@dataclass
class Desk:
    """What an account's process is told and tells, and beside it what people ask of the same store."""

    opened: Opened
    people: SqlStore

    @property
    def store(self) -> Store:
        return self.opened.store

    async def ask(self, number: int = 1, *path: str, **more: Any) -> int:
        usual: dict[str, Any] = {"comment": "", "approval": APPROVED, "operator": "analyst-1", "at": later(1)}
        return await self.people.report_in_app(CHANNEL, MessageId(number), path=path, **usual | more)

    async def tell(self, errand: int, state: ErrandState, **more: Any) -> None:
        await self.store.errand_told(Told(errand, state, later(2), **more))

    async def due(self, seconds: float = 3) -> list[int]:
        return [errand.errand_id for errand in await self.store.errands("main", later(seconds))]

    async def report(self, errand: int) -> InAppReport:
        return await self.people.reader.in_app_report(errand)

    async def events(self, kind: EventType) -> list[Event]:
        return await self.opened.events(kind)

    async def sent(self, number: int = 1, **more: Any) -> int:
        errand = await self.ask(number, **more)
        assert await self.store.errand_leaves(errand, later(2))
        await self.tell(errand, S.SENT)
        return errand


@pytest.fixture
async def desk(opened: Opened, tmp_path: Path) -> AsyncIterator[Desk]:
    store = opened.store
    await store.declare([declared("one_channel")], START)
    await store.joined("one_channel", profile(), "main", START)
    await store.record([batch(message(1, media=picture(1)), message(2, media=picture(2)), message(3))])
    for number in (1, 2):
        await store.examined(matched(number))
    async with open_store(tmp_path / "store.sqlite3") as people:
        yield Desk(opened, people)


async def test_what_people_ask_for_is_given_to_the_account_in_order(desk: Desk) -> None:
    second = await desk.ask(2, "Child abuse", comment=None)
    first = await desk.ask(1, report_id=7)
    assert await desk.store.errands("main", later(3)) == [
        Errand(second, CHANNEL, MessageId(2), ("Child abuse",), None),
        Errand(first, CHANNEL, MessageId(1), (), ""),
    ]
    assert await desk.store.errands("second", later(3)) == []
    assert (await desk.report(first)).report_id == 7


async def test_only_what_carries_a_flag_in_a_collected_channel_can_be_asked_for(desk: Desk) -> None:
    for number in (3, 99):
        with pytest.raises(InputError, match="carries no flag"):
            await desk.ask(number)
    with pytest.raises(InputError, match="not on record"):
        await desk.people.report_in_app(
            *(ChannelId(9), MessageId(1)), path=(), comment="", approval=APPROVED, operator="me", at=START
        )
    await desk.store.record([gone(2, at=later(1))])
    with pytest.raises(InputError, match="was deleted"):
        await desk.ask(2)
    errand = await desk.ask(1)
    await desk.store.refused("one_channel", Refusal.PRIVATE, later(1))
    with pytest.raises(NotAuthorized):
        await desk.ask(1)
    (waiting,) = await desk.store.errands("main", later(3))
    assert (waiting.errand_id, waiting.permitted) == (errand, False)


async def test_what_may_have_arrived_is_sent_again_only_for_a_reason(desk: Desk) -> None:
    first = await desk.sent()
    with pytest.raises(InputError, match="was reported"):
        await desk.ask()
    with pytest.raises(InputError, match="takes a reason"):
        await desk.ask(explanation="  ")
    again = await desk.ask(explanation="they asked for it")
    assert ((await desk.report(first)).again, (await desk.report(again)).again) == (0, 1)
    assert await desk.store.errand_leaves(again, later(2))
    with pytest.raises(InputError, match="right now"):
        await desk.ask(explanation="once more")
    await desk.tell(again, S.UNKNOWN)
    with pytest.raises(InputError, match="may have been reported"):
        await desk.ask()
    await desk.people.note_errand(again, explanation="left", operator="analyst-1", at=later(4))
    with pytest.raises(InputError, match="may have been reported"):
        await desk.ask()
    assert (await desk.report(await desk.ask(explanation="third"))).again == 2


async def test_what_has_not_left_gives_way_to_what_is_asked_for_anew(desk: Desk) -> None:
    old = await desk.ask()
    new = await desk.ask(1, "Other")
    assert await desk.due() == [new]
    assert (await desk.report(old)).failure is ErrandFailure.WITHDRAWN
    assert not await desk.store.errand_leaves(old, later(2)), "it must not leave any more"
    assert (await desk.report(new)).again == 0


async def test_it_leaves_once_and_only_what_left_can_have_arrived(desk: Desk) -> None:
    errand = await desk.ask()
    with pytest.raises(ValueError):
        await desk.tell(errand, S.SENT)
    assert await desk.store.errand_leaves(errand, later(2))
    assert not await desk.store.errand_leaves(errand, later(2))
    assert await desk.due() == []
    with pytest.raises(InputError, match="only what has not left"):
        await desk.people.withdraw_errand(errand, operator="analyst-1", at=later(3))
    await desk.tell(errand, S.SENT)
    await desk.tell(errand, S.FAILED, failure=ErrandFailure.REFUSED)
    assert (await desk.report(errand)).state is S.SENT, "what is settled stays"
    assert len(await desk.events(EventType.ITEM_REPORTED)) == 1
    assert await desk.events(EventType.ITEM_NOT_REPORTED) == []


async def test_whoever_comes_after_a_crash_knows_what_may_have_arrived(desk: Desk) -> None:
    left, waits = await desk.ask(1), await desk.ask(2)
    await desk.store.errand_leaves(left, later(2))
    assert await desk.store.errands_lost("second", later(3)) == 0
    assert await desk.store.errands_lost("main", later(3)) == 1
    assert await desk.store.errands_lost("main", later(3)) == 0
    assert (await desk.report(left)).state is S.UNKNOWN
    assert await desk.due() == [waits]
    (event,) = await desk.events(EventType.ITEM_NOT_REPORTED)
    assert (event.body["errand"], event.body["state"]) == (left, "unknown")


async def test_a_pause_is_waited_for(desk: Desk) -> None:
    errand = await desk.ask()
    await desk.store.errand_leaves(errand, later(2))
    await desk.tell(errand, S.WAITING, until=later(100))
    assert await desk.due(99) == []
    assert not await desk.people.reader.errands_due(later(99))
    assert await desk.due(100) == [errand]
    assert await desk.people.reader.errands_due(later(100))


async def test_the_menu_is_there_while_a_person_chooses_and_no_longer(desk: Desk) -> None:
    errand = await desk.ask(1, "Top", comment=None)
    await desk.tell(errand, S.ASKING, steps=1, menu=MENU, hidden=2)
    report = await desk.report(errand)
    assert (report.menu, report.hidden, report.steps) == (MENU, 2, 1)
    assert await desk.due() == []
    with pytest.raises(InputError, match="not what the menu offers"):
        await desk.people.answer_errand(errand, choice="Child abus")
    await desk.people.answer_errand(errand, choice="Child abuse")
    with pytest.raises(InputError, match="does not ask"):
        await desk.people.answer_errand(errand, choice="Child abuse")
    assert (await desk.report(errand)).menu == ()
    (waiting,) = await desk.store.errands("main", later(3))
    assert waiting.path == ("Top", "Child abuse")
    await desk.tell(errand, S.ASKING, steps=2, comment_optional=False)
    await desk.people.answer_errand(errand, comment="words")
    (waiting,) = await desk.store.errands("main", later(3))
    assert waiting.comment == "words"


async def test_what_a_person_has_to_look_at_is_the_last_try_of_each_message(desk: Desk) -> None:
    async def troubled() -> list[int]:
        return [report.errand_id for report in await desk.people.reader.in_app_reports(troubled=True)]

    failed, asking = await desk.ask(1), await desk.ask(2)
    await desk.tell(failed, S.FAILED, failure=ErrandFailure.NOT_OFFERED, menu=MENU)
    await desk.tell(asking, S.ASKING, menu=MENU)
    assert await troubled() == [failed, asking]
    assert (await desk.report(failed)).menu == MENU
    await desk.people.note_errand(asking, explanation="no", operator="analyst-1", at=later(4))
    assert await troubled() == [failed]
    assert (await desk.report(asking)).failure is ErrandFailure.WITHDRAWN
    await desk.sent(1)
    assert await troubled() == []
    with pytest.raises(InputError, match="nothing to take note of"):
        await desk.people.note_errand(3, explanation="no", operator="analyst-1", at=later(4))
    assert len(await desk.people.reader.in_app_reports()) == 3
    noted = (await desk.events(EventType.ITEM_NOT_REPORTED))[-1].body
    assert (noted["noted"], noted["explanation"]) == (True, "no")


async def test_the_event_tells_what_was_chosen_and_by_whom(desk: Desk) -> None:
    errand = await desk.ask(1, "Child abuse", "Child sexual abuse", "further", comment="words", report_id=7)
    await desk.store.errand_leaves(errand, later(2))
    await desk.tell(errand, S.SENT, steps=2, commented=True)
    (event,) = await desk.events(EventType.ITEM_REPORTED)
    assert event.at == later(2)
    assert event.body == {
        "errand": errand,
        "report_id": 7,
        "account": "main",
        "channel_id": CHANNEL,
        "message_id": 1,
        "operator": "analyst-1",
        "approved_by": "second-person",
        "approved_at": START.isoformat(),
        "path": "Child abuse > Child sexual abuse",
        "comment": "words",
        "again": 0,
        "explanation": None,
        "state": "sent",
        "failure": None,
    }


async def test_a_path_or_comment_that_is_none_is_refused(desk: Desk) -> None:
    for path, comment in ((("two\nlines",), ""), (("",), ""), (("x",) * 9, ""), ((), "x" * 513)):
        with pytest.raises(InputError):
            await desk.ask(1, *path, comment=comment)


# -- what can travel from the process that sees content


@given(st.text())
def test_a_line_of_the_menu_is_one_printable_line(text: str) -> None:
    try:
        line = Label(text).text
    except ValueError:
        return
    assert 0 < len(line) <= 64
    assert line.isprintable()
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    "menu",
    [[{"text": "x" * 65}], [{"text": "two\nlines"}], [{"text": ""}], [{"text": "x"}] * (MOST_LABELS + 1)],
)
def test_no_other_menu_passes_the_wire(menu: list[dict[str, str]]) -> None:
    told = {"errand_id": 1, "state": "asking", "at": START, "menu": menu}
    decoder = METHODS["errand_told"].arguments
    assert decoder.decode(msgspec.msgpack.encode((told | {"menu": [{"text": "Child abuse"}]},)))
    with pytest.raises(msgspec.MsgspecError):
        decoder.decode(msgspec.msgpack.encode((told,)))
