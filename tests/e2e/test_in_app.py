"""Reports in the app against a data centre: what its journal shows, and what was never asked."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.model import EventType, ReportingPolicy, Route
from monitor.reporting import decisions, reports
from monitor.reporting.acting import act, act_on_report
from monitor.store import open_store
from monitor.store.casebook import list_cases
from monitor.store.sightings import sightings
from monitor.telegram.politeness import CONNECTING
from monitor.testdc import Cluster, Delay, Drop, FloodWait, Rpc
from monitor.testdc.menu import MENU, Entry
from tests.e2e.test_collecting import Bench

PATH = ("Child abuse", "Child sexual abuse")
CHOICES = [argument for text in PATH for argument in ("--choose", text)]
REQUEST = "messages.report"
POLICY = ReportingPolicy(undo_seconds=0, platform_first=True)


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


class Desk(Bench):
    """A channel with flagged messages, and the commands of a person who reports them. `made` are the reports that were
    prepared and approved, by message."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.more = {"reporting": {"undo_seconds": 0, "platform_first": True}}
        self.made: dict[int, int] = {}

    def flagged(self, number: int = 0) -> int:
        """Post one more message that will be flagged; its id."""
        data = f"listed {number}".encode()
        if f"e-{number}" not in dict(self.listed).values():
            self.list_file(data, f"e-{number}")
        return self.news.post("words", media=self.world.document(data)).id

    async def know(self, cluster: Cluster, flags: int = 1) -> None:
        """Collect until all that is flagged is on record, and end."""
        async with self.collecting(cluster):
            await self.flags(flags)

    async def flags(self, number: int) -> None:
        async with asyncio.timeout(60):
            while not await self.rows() or (await self.ask(lambda r: r.totals())).flags < number:
                await asyncio.sleep(0.05)

    async def start(self, *arguments: str, **how: Any) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "monitor", *arguments, "--config", str(self.folder / "config.yaml")]
        return await asyncio.create_subprocess_exec(*command, cwd=self.folder, start_new_session=True, **how)

    async def monitor(self, *arguments: str) -> Done:
        pipes = {"stdin": asyncio.subprocess.DEVNULL, "stdout": asyncio.subprocess.PIPE}
        process = await self.start(*arguments, stderr=asyncio.subprocess.PIPE, **pipes)
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def prepared(self, message: int, explanation: str | None = None) -> int:
        """Accept the case of a message and prepare a report of it; its number. With a reason once more."""
        async with open_store(self.database) as store:
            lines = await store.reader.run(list_cases, datetime.now(UTC))
            (case,) = [
                line.case_id
                for line in lines
                if message in [s.message_id for s in await store.reader.run(sightings, line.case_id)]
            ]
            if explanation is None:
                await act(store, case, decisions.accept("operator"), datetime.now(UTC))
            again = {"again": explanation is not None, "explanation": explanation}
            rule = reports.prepare("operator", Route.TELEGRAM, POLICY, **again)
            return max((await act(store, case, rule, datetime.now(UTC))).facts.reports)

    async def approved(self, message: int, explanation: str | None = None) -> int:
        """An approved report of a message's case; its number."""
        number = await self.prepared(message, explanation)
        async with open_store(self.database) as store:
            await act_on_report(store, number, reports.approve("second-person", POLICY), datetime.now(UTC))
        return number

    async def report_of(self, message: int) -> str:
        """The number of the message's report, which is approved the first time."""
        if message not in self.made:
            self.made[message] = await self.approved(message)
        return str(self.made[message])

    async def send(self, message: int, *more: str, json: bool = True) -> Done:
        number = await self.report_of(message)
        return await self.monitor("report", "send", number, *more, *(["--json"] if json else []))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The daemon in processes of its own, which can be killed together."""
        process = await self.start("run", stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(60):
                while not (self.folder / "state" / "daemon.json").exists():
                    await asyncio.sleep(0.05)
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGTERM)
                await process.wait()

    async def events(self, kind: EventType) -> list[dict[str, Any]]:
        async def read(reader: Any) -> list[dict[str, Any]]:
            return [dict(event.body) async for event in reader.events() if event.type is kind]

        found: list[dict[str, Any]] = await self.ask(read)
        return found

    async def warnings(self) -> str:
        return " ".join((await self.monitor("status", "--json")).said["warnings"])


async def until(holds: Callable[[], object | Awaitable[object]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.05)


def options(cluster: Cluster) -> list[bytes]:
    """The option of each step that was asked for, in order; empty for the top of the menu."""
    return [entry.parameters["option"] for entry in cluster.requests(REQUEST)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_report_goes_through_the_daemon_and_its_menu_once(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster, desk.collecting(cluster):
        await desk.flags(1)
        done = await desk.send(message, *CHOICES, "--comment", "hash match, viewed by nobody")
        assert done.code == 0, done.err
        assert (done.said["state"], done.said["steps"]) == ("sent", 2)
        assert desk.world.reported == {(desk.news.id, message): (PATH, "hash match, viewed by nobody")}
        assert len(options(cluster)) == 4, "the top, two choices, the comment"
        assert [entry.parameters["id"] for entry in cluster.requests(REQUEST)] == [[message]] * 4
        twice = await desk.send(message, *CHOICES, "--comment", "once more")
        assert twice.code == 2
        assert "report 1 is sent and cannot be sent" in twice.err
        desk.made[message] = await desk.approved(message, "no answer in a month")
        twice = await desk.send(message, *CHOICES)
        assert twice.code == 2
        assert "was reported (errand 1)" in twice.err
        assert len(desk.world.reports) == 1
        again = await desk.send(message, *CHOICES, "--again", "the platform asked for it")
        assert again.code == 0, again.err
        assert [report.comment for report in desk.world.reports] == ["hash match, viewed by nobody", ""]
        first, second = await desk.events(EventType.ITEM_REPORTED)
    assert first["path"] == "Child abuse > Child sexual abuse"
    assert (first["operator"], first["approved_by"], first["again"]) == ("operator", "second-person", 0)
    assert first["comment"] == "hash match, viewed by nobody"
    assert (second["again"], second["explanation"]) == (1, "the platform asked for it")
    assert (second["comment"], second["operator"]) == (None, "operator")


async def test_without_a_daemon_the_command_asks_for_the_menu_and_nothing_else(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        before = len(cluster.journal)
        done = await desk.send(message, "--choose", "Scam or spam")
        assert done.code == 0, done.err
        assert desk.world.reported[desk.news.id, message] == (("Scam or spam",), "")
        asked = {entry.name for entry in cluster.journal[before:]}
        assert asked <= {REQUEST, *CONNECTING}, "no message is fetched, no update taken"
        assert cluster.listening(desk.user) == 0


async def test_what_nobody_approved_is_not_sent(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        number = str(await desk.prepared(message))
        for arguments, said in (
            ((number, *CHOICES), "first: monitor report approve"),
            ((number, *CHOICES, "--route", "dsa"), "--route dsa"),
            (("99", *CHOICES), "report 99: there is none"),
        ):
            done = await desk.monitor("report", "send", *arguments)
            assert done.code == 2
            assert said in done.err
        assert not cluster.requests(REQUEST)


@pytest.mark.prove
async def test_every_item_of_a_report_is_sent_and_again_only_what_is_missing(desk: Desk) -> None:
    messages = [desk.flagged() for _ in range(3)]
    async with Cluster(desk.world) as cluster, desk.collecting(cluster):
        await desk.flags(3)
        cluster.faults.add(REQUEST, Rpc(400, "MESSAGE_ID_INVALID"), after=4)  # the second item, at its top
        done = await desk.send(messages[0], *CHOICES, "--comment", "hash match")
        assert done.code == 3
        assert [json.loads(line)["state"] for line in done.out.splitlines()] == ["sent", "failed", "sent"]
        assert "no longer there" in done.err
        assert len(desk.world.reports) == 2
        done = await desk.send(messages[0], json=False)
        assert done.code == 0, done.err
        assert done.out.endswith("report 1: sent\n")
    assert desk.world.reported == {(desk.news.id, message): (PATH, "hash match") for message in messages}, (
        "what was chosen is remembered"
    )
    assert len(desk.world.reports) == 3
    assert [e["reason"] for e in await desk.events(EventType.REPORT_FAILED)] == ["message_gone"]
    assert len(await desk.events(EventType.REPORT_SENT)) == 1


@pytest.mark.prove
async def test_a_text_that_is_not_offered_stops_it_and_stays_open_and_loud(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster, desk.collecting(cluster):
        await desk.flags(1)
        done = await desk.send(message, "--choose", "Child abuse", "--choose", "Child sexual abus")
        assert done.code == 2
        assert "Child sexual abuse; Child physical abuse" in done.err
        assert (done.said["failure"], done.said["steps"]) == ("not_offered", 1)
        assert desk.world.reports == []
        assert "1 reports in the app were not sent" in await desk.warnings()
        (failed,) = await desk.events(EventType.ITEM_NOT_REPORTED)
        assert failed["failure"] == "not_offered"
        assert "Child abuse" in (await desk.monitor("report", "errands")).out
        assert (await desk.send(message, *CHOICES)).code == 0, "nothing had arrived: no reason is needed"
        assert "in the app" not in await desk.warnings()


@pytest.mark.prove
async def test_a_menu_that_changes_on_the_way_is_not_guessed_at(desk: Desk) -> None:
    first, second = desk.flagged(0), desk.flagged(1)
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster, 2)
        desk.world.menu.change((Entry("Abuse of children", (Entry("Sexual"),)), Entry("Other")), after=1)
        changed = await desk.send(first, *CHOICES)
        assert changed.code == 3
        assert changed.said["failure"] == "menu_changed"
        gone = await desk.send(second, *CHOICES)
        assert gone.code == 2
        assert "The menu offers (at its top): Abuse of children; Other" in gone.err
        assert desk.world.reports == []
        desk.world.menu.change((*MENU, Entry("Scam or spam")))
        assert (await desk.send(second, "--choose", "Scam or spam")).said["failure"] == "not_offered"
        assert desk.world.reports == [], "two lines with one text: which of them would be a guess"


@pytest.mark.prove
async def test_what_the_menu_still_wants_is_said(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster, desk.collecting(cluster):
        await desk.flags(1)
        short = await desk.send(message, "--choose", "Child abuse")
        assert (short.code, short.said["failure"]) == (2, "more_choices")
        assert "Child sexual abuse" in short.err
        silent = await desk.send(message, "--choose", "Other")
        assert (silent.code, silent.said["failure"]) == (2, "comment_needed")
        assert desk.world.reports == []
        long = await desk.send(
            message, "--choose", "Copyright", "--choose", "And more", "--comment", "c", json=False
        )
        assert long.code == 0
        assert "the menu ended before 'And more'; the menu asked for no comment" in long.out
        (report,) = desk.world.reports
        assert (report.path, report.comment) == (("Copyright",), "")
        (sent,) = await desk.events(EventType.ITEM_REPORTED)
        assert (sent["path"], sent["comment"]) == ("Copyright", None)


@pytest.mark.prove
async def test_the_choice_comes_from_the_configuration_by_category(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        assert (await desk.send(message)).said["failure"] == "more_choices"
        config = desk.folder / "config.yaml"
        menu = "\n  report_menu: {child: [Child abuse, Child sexual abuse]}"
        config.write_text(config.read_text().replace("telegram:", f"telegram:{menu}"))
        done = await desk.send(message)
        assert done.code == 0, done.err
        assert desk.world.reported[desk.news.id, message] == (PATH, "")


@pytest.mark.prove
@pytest.mark.parametrize("daemon", [True, False])
async def test_a_pause_is_obeyed_to_the_second_and_counted(desk: Desk, daemon: bool) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster, contextlib.AsyncExitStack() as stack:
        if daemon:
            await stack.enter_async_context(desk.collecting(cluster))
            await desk.flags(1)
        else:
            await desk.know(cluster)
        cluster.faults.add(REQUEST, FloodWait(3), after=1)
        assert (await desk.send(message, *CHOICES)).code == 0
        steps = [entry.at for entry in cluster.requests(REQUEST)]
        assert len(steps) == 5
        assert steps[2] - steps[1] >= 3
        assert len(desk.world.reports) == 1
        (waits,) = [w for w in (await desk.ask(lambda r: r.conduct("main"))).waits if w.method == REQUEST]
        assert (waits.count, waits.seconds) == (1, 3)


@pytest.mark.prove
async def test_a_long_pause_leaves_it_waiting_and_nothing_leaves_before_its_end(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, FloodWait(4000), after=2)
        alone = await desk.send(message, *CHOICES)
        assert alone.code == 3
        assert "no daemon runs" in alone.err
        asked = len(options(cluster))
        async with desk.collecting(cluster):
            served = await desk.send(message, *CHOICES, json=False)
            assert served.code == 0
            assert "the daemon sends it then" in served.out
        assert len(options(cluster)) == asked, "the pause holds over restarts"
        assert desk.world.reports == []


async def test_a_pause_in_the_middle_leaves_all_that_is_left_waiting_on_record(desk: Desk) -> None:
    messages = [desk.flagged() for _ in range(3)]
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster, 3)
        cluster.faults.add(REQUEST, FloodWait(4000), after=4)  # the second item, at its top
        done = await desk.send(messages[0], *CHOICES, "--comment", "hash match")
        assert done.code == 3, done.err
        ((_, sent),) = desk.world.reported
    left = [message for message in messages if message != sent]
    waits = await desk.monitor("report", "errands", "--json")
    open_ = [json.loads(line) for line in waits.out.splitlines()]
    assert [(row["message_id"], row["state"]) for row in open_] == [(m, "waiting") for m in left]
    assert all(tuple(row["path"]) == PATH and row["report_id"] == 1 for row in open_)


@pytest.mark.prove
async def test_the_budget_counts_reports_and_holds_over_restarts(desk: Desk) -> None:
    messages = [desk.flagged(number) for number in range(3)]
    desk.budgets = {"reports_per_day": 2}
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster, 3)
        assert [(await desk.send(message, *CHOICES)).code for message in messages] == [0, 0, 3]
        asked = len(options(cluster))
        async with desk.collecting(cluster):
            waits = await desk.send(messages[2], *CHOICES)
            assert (waits.code, waits.said["state"]) == (0, "waiting")
            assert waits.said["until"] is not None
            assert "has spent its budget of reports" in await desk.warnings()
        assert len(options(cluster)) == asked
        assert len(desk.world.reports) == 2


@pytest.mark.prove
async def test_a_message_or_a_channel_that_is_gone_is_a_failure_that_stays_open(desk: Desk) -> None:
    first, second = desk.flagged(0), desk.flagged(1)
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster, 2)
        desk.news.delete(first)
        done = await desk.send(first, *CHOICES)
        assert (done.code, done.said["failure"]) == (3, "message_gone")
        cluster.faults.add(REQUEST, Rpc(400, "CHANNEL_PRIVATE"))
        done = await desk.send(second, *CHOICES)
        assert (done.code, done.said["failure"]) == (3, "channel_gone")
        assert "2 reports in the app were not sent" in await desk.warnings()
        assert (await desk.monitor("report", "note", "1", "--reason", "removed meanwhile")).code == 0
        assert "1 reports in the app were not sent" in await desk.warnings()
        assert desk.world.reports == []


# -- at most once


async def test_killed_between_request_and_answer_it_is_unknown_and_never_sent_again(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, Delay(3), after=1)  # the first choice, which brings the report to its end
        async with desk.running() as daemon:
            sending = asyncio.create_task(desk.send(message, "--choose", "Scam or spam"))
            await until(lambda: len(options(cluster)) == 2)
            os.killpg(daemon.pid, signal.SIGKILL)
            await daemon.wait()
            done = await sending
        assert done.code == 3
        assert "whether the report arrived is unknown" in done.err
        assert done.said["state"] == "unknown"
        async with desk.collecting(cluster):
            refused = await desk.send(message, "--choose", "Scam or spam")
            assert refused.code == 2
            assert "may have been reported" in refused.err
            assert "whether they arrived is unknown" in await desk.warnings()
        assert len(options(cluster)) == 2, "nothing was asked for after the kill"
        (failed,) = await desk.events(EventType.ITEM_NOT_REPORTED)
        assert failed["state"] == "unknown"
        assert (await desk.monitor("report", "note", "1", "--reason", "left at that")).code == 0
        assert "in the app" not in await desk.warnings()
        assert (await desk.send(message, *CHOICES)).code == 2, "noting it does not forget it"


@pytest.mark.prove
async def test_killed_before_anything_left_it_is_sent_by_whoever_comes_next(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, Delay(3))
        async with desk.running() as daemon:
            sending = asyncio.create_task(desk.send(message, "--choose", "Scam or spam"))
            await until(lambda: len(options(cluster)) == 1)
            os.killpg(daemon.pid, signal.SIGKILL)
            await daemon.wait()
            done = await sending
        assert (done.code, done.said["state"]) == (0, "sent"), done.err
        assert len(desk.world.reports) == 1


@pytest.mark.prove
async def test_a_command_killed_between_request_and_answer_leaves_it_unknown(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, Delay(2), after=1)
        number = await desk.report_of(message)
        command = await desk.start("report", "send", number, "--choose", "Scam or spam")
        await until(lambda: len(options(cluster)) == 2)
        os.killpg(command.pid, signal.SIGKILL)
        await command.wait()
        refused = await desk.send(message, *CHOICES)
        assert refused.code == 2
        assert "being reported right now" in refused.err
        async with desk.collecting(cluster):
            await until(lambda: desk.events(EventType.ITEM_NOT_REPORTED))
        assert "may have been reported" in (await desk.send(message, *CHOICES)).err
        assert len(options(cluster)) == 2


@pytest.mark.prove
@pytest.mark.parametrize("fault", [Drop("after"), Rpc(500, "INTERNAL"), Drop("middle")])
async def test_an_answer_that_is_not_heard_is_not_asked_for_again(desk: Desk, fault: Any) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster, desk.collecting(cluster):
        await desk.flags(1)
        cluster.faults.add(REQUEST, fault, after=1)
        done = await desk.send(message, "--choose", "Scam or spam")
        assert (done.code, done.said["state"]) == (3, "unknown")
        await asyncio.sleep(3)  # the library itself would try again after two seconds
        assert len(options(cluster)) == 2
        assert len(desk.world.reports) == isinstance(fault, Drop), "it had arrived where the answer was lost"


@pytest.mark.prove
async def test_an_account_that_is_refused_reported_nothing_and_it_waits(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, Rpc(420, "FROZEN_METHOD_INVALID"), after=1)
        done = await desk.send(message, *CHOICES)
        assert done.code == 3
        assert "frozen" in done.err
        (open_one,) = (await desk.monitor("report", "errands", "--json")).out.splitlines()
        assert json.loads(open_one)["state"] == "waiting"
        assert "1 reports in the app wait to be sent" in await desk.warnings()


@pytest.mark.prove
async def test_a_daemon_that_is_stopped_waits_for_the_answer(desk: Desk) -> None:
    message = desk.flagged()
    async with Cluster(desk.world) as cluster:
        await desk.know(cluster)
        cluster.faults.add(REQUEST, Delay(1.5), after=1)
        async with desk.running() as daemon:
            sending = asyncio.create_task(desk.send(message, "--choose", "Scam or spam"))
            await until(lambda: len(options(cluster)) == 2)
            daemon.send_signal(signal.SIGTERM)
            assert await daemon.wait() == 0
            done = await sending
        assert (done.code, done.said["state"]) == (0, "sent"), done.err
        assert len(desk.world.reports) == 1


# -- a person at a terminal


@pytest.mark.prove
async def test_at_a_terminal_the_menu_is_shown_and_asks(desk: Desk) -> None:
    first, second = desk.flagged(0), desk.flagged(1)
    desk.world.menu.change((*MENU, Entry("x" * 65), Entry("line\x1b[2J")))
    async with Cluster(desk.world) as cluster:
        async with desk.collecting(cluster):
            await desk.flags(2)
            seen = await _typed(
                desk,
                first,
                ("empty takes it back", "2\n"),
                ("takes it back", "7\n"),
                ("back", "1\n"),
                ("comment", "\n"),
            )
            assert re.search(r"\b2  Child abuse", seen)
            assert "(2 more that cannot be shown)" in seen
            assert "\x1b[2J" not in seen
            assert "a number from 1 to 2" in seen
            assert "reported: Child abuse > Child sexual abuse (errand 1)" in seen
            assert desk.world.reported[desk.news.id, first] == (PATH, "")
            assert len(options(cluster)) == 4, "what was asked for is not asked for again"
            seen = await _typed(desk, second, ("takes it back", "\n"))
            assert "taken back (errand 2)" in seen
            assert (desk.news.id, second) not in desk.world.reported
        # Without a daemon, at the same menu.
        await _typed(desk, second, ("takes it back", "2\n"), ("takes it back", "2\n"), ("comment", "words\n"))
        assert desk.world.reported[desk.news.id, second] == (("Child abuse", "Child physical abuse"), "words")
    assert await desk.ask(lambda reader: reader.run(_menus)) == 0, "no menu is kept"


def _menus(conn: Any) -> int:
    return int(conn.exec_driver_sql("SELECT count(*) FROM errand_menus").scalar_one())


async def _typed(desk: Desk, message: int, *answers: tuple[str, str]) -> str:
    """What a terminal shows when somebody answers these prompts in turn."""
    ours, theirs = pty.openpty()
    number = await desk.report_of(message)
    command = await desk.start("report", "send", number, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    seen, shown, left = "", 0, list(answers)
    deadline = time.monotonic() + 60
    try:
        while command.returncode is None or shown < len(seen):
            assert time.monotonic() < deadline, seen
            shown = len(seen)
            with contextlib.suppress(BlockingIOError, OSError):
                seen += os.read(ours, 65536).decode().replace("\r\n", "\n")
            if left and left[0][0] in seen.rsplit("\n", 1)[-1]:
                os.write(ours, left.pop(0)[1].encode())
                seen += "\n"
            await asyncio.sleep(0.05)
    finally:
        os.close(ours)
    assert not left, seen
    assert command.returncode == 0, seen
    return seen
