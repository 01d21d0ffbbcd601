"""Notices of reports, from the store: written for a person, or sent by mail to a server on loopback."""

import asyncio
import hashlib
import stat
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from monitor.store import open_store
from tests.contract.making import START, batch, declared, hash_list, later, matched, message, picture, profile
from tests.e2e.site import Site, lines
from tests.e2e.test_cases import DETAILS, fails, ok
from tests.unit.reporting.desk import CHILD, EXACT
from tests.unit.reporting.mail_server import Inbox, certificate, serving


async def fill(database: Path) -> None:
    """Two cases: one seen twice, and a child's."""
    async with open_store(database) as store:
        await store.declare([declared()], START)
        await store.joined("example_one", profile(), "main", START)
        await store.list_loaded(hash_list(), START)
        seen = [EXACT, EXACT, CHILD]
        await store.record([batch(*(message(n, media=picture(n)) for n in range(1, len(seen) + 1)))])
        for number, match in enumerate(seen, 1):
            await store.examined(matched(number, match, at=later(number)))


@pytest.fixture
def place(tmp_path: Path) -> Site:
    found = Site(tmp_path)
    found.write(operator="anna", reporting={"undo_seconds": 0}, operator_details=DETAILS)
    asyncio.run(fill(found.database))
    ok(found, "cases", "accept", "1")
    ok(found, "cases", "accept", "2")
    return found


def approved(place: Site, recipient: str = "telegram-abuse") -> None:
    """Report 1, of the case seen twice, by mail to the platform."""
    ok(place, "report", "prepare", "1", "--route", "telegram_mail", "--recipient", recipient)
    ok(place, "report", "approve", "1")


def events(place: Site, report: int = 1) -> list[dict[str, Any]]:
    (told,) = lines(ok(place, "report", "show", str(report), "--json"))
    found: list[dict[str, Any]] = told["events"]
    return found


def state(place: Site) -> str:
    return str(lines(ok(place, "report", "list", "--json"))[0]["state"])


# -- preparing


@pytest.mark.prove
def test_preparing_takes_a_recipient_of_the_register(place: Site) -> None:
    route = ("report", "prepare", "1", "--route")
    said = fails(place, 2, *route, "telegram_mail", "--recipient", "hotline-eu")
    assert "hotline-eu: no such recipient; the register has telegram-abuse, telegram-stopca" in said
    said = fails(place, 2, *route, "telegram_mail", "--recipient", "telegram-stopca")
    assert "telegram-stopca: takes child, not adult_filmed" in said
    said = fails(place, 2, *route, "generic", "--recipient", "stopncii")
    assert "stopncii: takes no reports, not generic" in said
    assert "takes none" in fails(place, 2, *route, "telegram", "--recipient", "telegram-abuse")
    said = fails(place, 2, "report", "prepare", "2", "--route", "hotline")
    assert "hotline: there are several recipients; name one with --recipient: iwf, inhope" in said
    done = place.monitor(*route, "telegram_mail")
    assert "report 1: prepared to telegram-abuse, 2 sightings" in done.stdout, "the only one that takes these"
    assert "telegram-abuse: nobody has compared its entry" in done.stderr, "it is old"
    assert "prepared, 2 sightings" in ok(place, *route, "telegram")
    assert "prepared, 2 sightings" in ok(place, *route, "generic"), "to whom the register does not know"


@pytest.mark.prove
def test_an_entry_that_was_compared_lately_does_not_warn(place: Site) -> None:
    (place.folder / "mine.toml").write_text('[[recipient]]\nid = "iwf"\nchecked_on = 2099-01-01\n')
    place.write(notices={"recipients": "mine.toml"})
    done = place.monitor("report", "prepare", "2", "--route", "hotline", "--recipient", "iwf")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_notice_lacks_is_named_before_a_report_is_prepared(place: Site) -> None:
    place.write(operator_details={})
    done = place.monitor("report", "prepare", "1", "--route", "kr_police")
    assert done.returncode == 2
    assert [line.split(":")[2].strip() for line in done.stderr.splitlines()] == [
        "operator_details.organisation",
        "operator_details.contact_name",
        "operator_details.email",
    ]
    assert ok(place, "report", "list") == "no report\n"


# -- the notice


def test_a_notice_tells_of_its_report_and_leaves_an_event(place: Site) -> None:
    ok(place, "report", "prepare", "1", "--route", "dsa")
    text = ok(place, "report", "notice", "1")
    for words in (
        "https://t.me/example_one/1",
        "https://t.me/example_one/2",
        "Example Institute",
        "partner-a",
    ):
        assert words in text
    assert "https://t.me/example_one/3" not in text
    assert "no person here has viewed" in " ".join(text.split()).lower()
    assert ok(place, "report", "notice", "1") == text, "the same facts, the same notice"
    *_, event = events(place)
    assert event["type"] == "notice_made"
    assert (event["route"], event["format"], event["operator"]) == ("dsa", "text", "anna")
    assert event["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert "notice of report 1 made (text)" in ok(place, "cases", "show", "1")


@pytest.mark.prove
@pytest.mark.parametrize(("kind", "start"), [("eml", b"From: "), ("html", b"<!DOCTYPE html>"), ("text", b"")])
def test_a_file_is_private_and_has_the_digest_that_is_on_record(place: Site, kind: str, start: bytes) -> None:
    approved(place)
    out = place.folder / "notice"
    done = place.monitor("report", "notice", "1", "--format", kind, "--out", str(out))
    assert (done.returncode, done.stdout) == (0, "")
    data = out.read_bytes()
    assert data.startswith(start)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    digest = hashlib.sha256(data).hexdigest()
    assert digest in done.stderr
    assert events(place)[-1]["sha256"] == digest


@pytest.mark.prove
def test_no_notice_is_made_of_what_has_left_or_fallen(place: Site) -> None:
    approved(place)
    assert "pdf is none of text, eml, html" in fails(place, 2, "report", "notice", "1", "--format", "pdf")
    assert "report 9: there is none" in fails(place, 2, "report", "notice", "9")
    ok(place, "report", "sent", "1")
    assert "report 1 is sent; a notice is made of one" in fails(place, 2, "report", "notice", "1")
    ok(place, "report", "prepare", "1", "--route", "telegram")
    assert "sent in the app" in fails(place, 2, "report", "notice", "2")
    assert [event["type"] for event in events(place)].count("notice_made") == 0


@pytest.mark.prove
def test_a_notice_takes_one_of_two_roles(place: Site) -> None:
    approved(place)
    ok(place, "operators", "add", "anna", "--role", "admin", "--role", "reviewer")
    for name, role in (("vera", "viewer"), ("emil", "exporter"), ("rita", "reviewer")):
        ok(place, "operators", "add", name, "--role", role)
    fails(place, 5, "report", "notice", "1", "--as", "vera")
    for name in ("emil", "rita"):
        ok(place, "report", "notice", "1", "--as", name)
        assert events(place)[-1]["operator"] == name
    fails(place, 5, "report", "mail", "1", "--as", "emil")


# -- the mail


async def mailed(place: Site, inbox: Inbox, pem: Path, *more: str) -> "tuple[int, str, str]":
    """Exit code, output and errors of `report mail 1`, against a server that behaves so."""
    async with serving(pem, inbox, "starttls") as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "ca_file": str(pem), "timeout": "5s"}
        place.write(smtp=smtp)
        done = await asyncio.to_thread(place.monitor, "report", "mail", "1", *more)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.mark.prove
async def test_an_approved_report_is_mailed_once_and_recorded(place: Site, pem: Path) -> None:
    ok(place, "report", "prepare", "1", "--route", "telegram_mail")
    inbox = Inbox()
    code, _, said = await mailed(place, inbox, pem)
    assert (code, inbox.names) == (2, [])
    assert "report 1 is prepared and cannot be sent; first: monitor report approve" in said
    ok(place, "report", "approve", "1")
    text = ok(place, "report", "notice", "1")
    code, said, _ = await mailed(place, inbox, pem)
    (data,) = inbox.mails
    mail = message_from_bytes(data, policy=policy.default)
    assert code == 0
    assert said == f"report 1: sent to abuse@telegram.org, {mail['Message-ID']}\n"
    assert inbox.recipients == ["abuse@telegram.org"]
    body = mail.get_body(("plain",))  # type: ignore[attr-defined]  # policy.default makes an EmailMessage
    assert body.get_content().replace("\r\n", "\n") == text, "what was read is what was sent"
    begun, sent = events(place)[-2:]
    assert (begun["type"], sent["type"]) == ("mail_begun", "report_sent")
    assert sent["reference"] == mail["Message-ID"]
    assert state(place) == "sent"
    code, _, said = await mailed(place, inbox, pem)
    assert (code, len(inbox.mails)) == (2, 1)
    assert "report 1 is sent and cannot be sent" in said


@pytest.mark.prove
async def test_what_may_not_leave_is_not_mailed(place: Site, pem: Path) -> None:
    approved(place)
    assert "smtp: is not declared" in fails(place, 2, "report", "mail", "1")
    until = ("--until", "2099-01-01", "--reference", "K-1")
    ok(place, "cases", "hold", "1", "--asked-by", "an office", *until)
    inbox = Inbox()
    code, _, said = await mailed(place, inbox, pem)
    assert (code, inbox.names) == (2, [])
    assert "an office asked" in said


@pytest.mark.prove
async def test_a_recipient_without_mail_is_named_and_nothing_is_begun(place: Site, pem: Path) -> None:
    ok(place, "report", "prepare", "1", "--route", "dsa")
    ok(place, "report", "approve", "1")
    inbox = Inbox()
    code, _, said = await mailed(place, inbox, pem)
    assert (code, inbox.names) == (2, [])
    assert "the recipient takes no mail" in said
    assert events(place)[-1]["type"] == "report_approved"


@pytest.mark.prove
async def test_a_server_that_is_busy_leaves_the_report_approved(place: Site, pem: Path) -> None:
    approved(place)
    code, _, said = await mailed(place, Inbox(replies={"RCPT": "451 later"}), pem)
    assert code == 3
    assert "nothing was sent" in said
    assert state(place) == "approved"
    assert "mail of report 1 not sent: mail_unavailable" in ok(place, "report", "show", "1")
    inbox = Inbox()
    assert (await mailed(place, inbox, pem))[0] == 0
    assert len(inbox.mails) == 1


@pytest.mark.prove
async def test_a_refused_mail_fails_the_report_and_may_be_tried_again(place: Site, pem: Path) -> None:
    approved(place)
    code, _, said = await mailed(place, Inbox(replies={"RCPT": "550 no"}), pem)
    assert code == 3
    assert "SMTP 550" in said
    assert state(place) == "failed"
    assert events(place)[-1]["reason"] == "mail_refused"
    inbox = Inbox()
    assert (await mailed(place, inbox, pem))[0] == 0
    assert (len(inbox.mails), state(place)) == (1, "sent")


@pytest.mark.prove
async def test_a_mail_that_may_have_arrived_is_not_sent_again_before_somebody_asked(
    place: Site, pem: Path
) -> None:
    approved(place)
    code, _, _ = await mailed(place, Inbox(hang_up="MAIL_DATA"), pem)
    assert (code, state(place)) == (3, "failed")
    assert events(place)[-1]["reason"] == "mail_uncertain"
    inbox = Inbox()
    code, _, said = await mailed(place, inbox, pem)
    assert (code, inbox.names) == (2, [])
    assert "may have arrived; ask the recipient" in said
    ok(place, "report", "failed", "1", "--explanation", "they did not get it")
    assert (await mailed(place, inbox, pem))[0] == 0
    assert (len(inbox.mails), state(place)) == (1, "sent")


@pytest.mark.prove
async def test_two_who_mail_at_once_send_one_mail(place: Site, pem: Path) -> None:
    approved(place)
    inbox = Inbox()
    async with serving(pem, inbox, "starttls") as server:
        place.write(smtp={"host": "127.0.0.1", "port": server.port, "ca_file": str(pem), "timeout": "5s"})
        both = [asyncio.to_thread(place.monitor, "report", "mail", "1") for _ in range(2)]
        codes = sorted(done.returncode for done in await asyncio.gather(*both))
    assert (codes, len(inbox.mails)) == ([0, 2], 1)
    assert state(place) == "sent"
