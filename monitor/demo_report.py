"""The demo's second half: one match from its case to a report in the app, a notice, and a bundle that anybody can
verify."""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.clock import now
from monitor.config import Config
from monitor.errors import FatalError
from monitor.model import Approval, CaseId, EventType, Route
from monitor.prepare import pseudonym_key
from monitor.proving import required_signer
from monitor.reporting import decisions, reports
from monitor.reporting.acting import Case, act, act_on_report, look
from monitor.reporting.bundle import LogAccess, write_bundle
from monitor.reporting.custody import Handover
from monitor.reporting.entries import EntryNames
from monitor.reporting.exports import Order, write
from monitor.reporting.notices import Notice, Particulars, Templates, load_register, render
from monitor.reporting.sheets import SHEETS
from monitor.reportlog.archive import Content
from monitor.reportlog.bundles import verify_bundle
from monitor.sending import Wanted, report_in_app
from monitor.store import Reader, SqlStore, open_store
from monitor.store.casebook import list_cases
from monitor.store.sightings import sightings

COMMENT = "Hash match to a list of known material. No person here has viewed the item."
RECIPIENT = "Demo recipient"
EXPORTED = ("cases", "flags")


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of one case. Files as absolute paths; `in_app` are the messages that were reported in the app."""

    case: int
    entry: str
    in_app: int
    notice: str
    bundle: str
    checkpoint: str
    key: str


async def report_one(config: Config, out: Path, say: Callable[[str], None]) -> Reported:
    """Accept the most pressing match, report it in the app through the daemon at work, write a notice and a bundle.

    Raises FatalError when the platform does not take the report.
    """
    folder = out / "case"
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    async with open_store(config.database) as store:
        case = await _accepted(store, config)
        say(f"case {case.record.case_id}: the match was accepted; nobody has looked at the item")
        in_app = await _in_app(store, config, case.record.case_id)
        say(
            f"reported in the app, {in_app} sighting{'' if in_app == 1 else 's'}; writing a notice and a bundle"
        )
        notice = await _notice(store, config, case.record.case_id, folder)
        note, bundle, key = await _bundle(store, config, case.record.case_id, folder)
    return Reported(
        case=case.record.case_id,
        entry=f"{case.record.hash_list}/{case.record.entry}",
        in_app=in_app,
        notice=str(notice),
        bundle=str(bundle),
        checkpoint=str(note),
        key=key,
    )


async def _accepted(store: SqlStore, config: Config) -> Case:
    at = now()
    first = (await store.reader.run(list_cases, at))[0]
    return await act(store, first.case_id, decisions.accept(config.operator), at)


async def _approved(
    store: SqlStore, config: Config, case_id: int, route: Route, recipient: str | None = None
) -> int:
    policy = config.reporting.value()
    report_id = (await look(store.reader, case_id, now())).record.next_report
    await act(store, case_id, reports.prepare(config.operator, route, policy, recipient=recipient), now())
    await act_on_report(store, report_id, reports.approve(config.operator, policy), now())
    return report_id


async def _in_app(store: SqlStore, config: Config, case_id: int) -> int:
    """Report every sighting through the platform's menu; how many they are."""
    report_id = await _approved(store, config, case_id, Route.TELEGRAM)
    found = await store.reader.run(sightings, case_id, report_id)
    for sighting in found:
        if sighting.category is None:
            raise FatalError("the demo's case has no category")
        told = await report_in_app(
            config,
            Wanted(
                sighting.channel_id,
                sighting.message_id,
                Approval(config.operator, now()),
                config.operator,
                config.telegram.report_menu[sighting.category],
                COMMENT,
                report_id=report_id,
            ),
            asyncio.Event(),
        )
        if told.state.value != "sent":
            raise FatalError(f"the test data centre did not take the report: {told.state}")
    await act_on_report(store, report_id, reports.sent(config.operator, config.reporting.value()), now())
    return len(found)


async def _notice(store: SqlStore, config: Config, case_id: int, folder: Path) -> Path:
    """A notice to the review body in Korean and English, approved and ready to be handed over by a person."""
    register, route = load_register(), Route.KR_REVIEW_BODY
    category = (await look(store.reader, case_id, now())).record.category
    recipient = register.on(route, category)[0]
    report_id = await _approved(store, config, case_id, route, recipient.id)
    details = None if config.operator_details is None else config.operator_details.value()
    notice: Notice = render(
        route,
        await store.reader.run(sightings, case_id, report_id),
        category=category,
        details=details,
        particulars=Particulars(CaseId(case_id), now(), report_id),
        recipient=recipient,
        templates=Templates(),
    )
    for suffix, text in ((".html", notice.html), (".txt", notice.text)):
        await asyncio.to_thread(_private, folder / f"notice{suffix}", text.encode())
    return folder / "notice.txt"


async def _bundle(store: SqlStore, config: Config, case_id: int, folder: Path) -> tuple[Path, Path, str]:
    """The newest checkpoint and the bundle of a case as files, and the key that a recipient may pin."""
    record = (await look(store.reader, case_id, now())).record
    made = await write_bundle(
        store,
        LogAccess(config.log, required_signer(config)),
        folder / "bundle.zip",
        await _files(store.reader, config),
        Handover(config.operator, RECIPIENT, "showing what a recipient gets, and how it is verified"),
        opened=[event.seq for event in record.events if event.type is not EventType.LIST_LOADED],
        at=now(),
        facts={"case_id": case_id},
    )
    await asyncio.to_thread(verify_bundle, made.path)
    note = folder / "checkpoint"
    await asyncio.to_thread(_private, note, made.checkpoint.note)
    return note, made.path, made.key


async def _files(reader: Reader, config: Config) -> Mapping[str, Content]:
    """Cases and flags as tables, without addresses, and what their columns mean."""
    names, found = EntryNames(pseudonym_key(config)), dict[str, Content]()
    for what in EXPORTED:
        table = io.BytesIO()
        await write(config.database, Order(what, "csv", names=names), table, now())
        found[f"data/{what}.csv"] = table.getvalue()
        columns = SHEETS[what].chosen(what, False, False)
        described = [{"name": c.name, "type": c.kind, "meaning": c.meaning} for c in columns]
        found[f"schema/{what}.json"] = json.dumps(described, indent=1, ensure_ascii=False).encode()
    return found


def _private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
