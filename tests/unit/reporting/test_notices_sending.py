"""Mail out, against a real server on loopback: only what was approved, only under TLS, failures by name."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from monitor.errors import (
    ConfigError,
    FatalError,
    InputError,
    MailRefused,
    MailUnavailable,
    MailUncertain,
    RetryableError,
)
from monitor.model import Category, Route
from monitor.reporting.notices import Approval, MailServer, Notice, send
from tests.unit.reporting.mail_server import Inbox, certificate, serving
from tests.unit.reporting.reported import DETAILS, PARTICULARS, notice

APPROVAL = Approval("analyst-1", datetime(2026, 11, 22, 9, tzinfo=UTC), 7)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


def approved() -> Notice:
    return notice(Route.TELEGRAM_MAIL, recipient="telegram-stopca")


@asynccontextmanager
async def server(pem: Path, inbox: Inbox, security: str = "starttls") -> AsyncIterator[MailServer]:
    async with serving(pem, inbox, security) as told:
        yield MailServer(
            "127.0.0.1",
            told.port,
            "tls" if security == "tls" else "starttls",
            username="reports",
            password="correct horse",
            ca_file=pem,
            timeout=5,
        )


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_approved_notice_arrives_whole_and_under_tls(pem: Path, security: str) -> None:
    made, inbox = approved(), Inbox()
    async with server(pem, inbox, security) as mail_server:
        sent = await send(made, mail_server, APPROVAL)
    assert inbox.senders == [DETAILS.email]
    assert inbox.recipients == ["stopCA@telegram.org"] == [sent.to]
    assert inbox.sign_ins == [b"\0reports\0correct horse"]
    assert inbox.in_clear == (["EHLO", "STARTTLS"] if security == "starttls" else [])
    (data,) = inbox.mails
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["Subject"] == made.title
    assert mail["Message-ID"] == sent.message_id
    assert mail["X-Unsent"] is None
    assert sent.sha256 == made.sha256
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == made.text


async def test_our_machine_does_not_tell_its_name(pem: Path) -> None:
    inbox = Inbox()
    async with server(pem, inbox) as mail_server:
        await send(approved(), mail_server, APPROVAL)
    assert set(inbox.names) == {"example.org"}


async def test_a_sender_of_the_settings_stands_in_from_and_on_the_envelope(pem: Path) -> None:
    inbox = Inbox()
    async with server(pem, inbox) as mail_server:
        await send(approved(), replace(mail_server, sender="desk@mail.example.org"), APPROVAL)
    assert inbox.senders == ["desk@mail.example.org"]
    assert b"<desk@mail.example.org>" in inbox.mails[0]


@pytest.mark.parametrize("hang_up", [None, "QUIT"])
async def test_what_was_taken_is_sent_whatever_comes_of_the_farewell(pem: Path, hang_up: str | None) -> None:
    inbox = Inbox(hang_up=hang_up, replies={} if hang_up else {"QUIT": "554 no goodbye"})
    async with server(pem, inbox) as mail_server:
        await send(approved(), mail_server, APPROVAL)
    assert len(inbox.mails) == 1


@pytest.mark.parametrize(
    ("made", "approval", "words"),
    [
        (approved(), replace(APPROVAL, report_id=8), "not of the report that was approved"),
        (
            notice(
                Route.TELEGRAM_MAIL,
                recipient="telegram-abuse",
                particulars=replace(PARTICULARS, report_id=None),
            ),
            APPROVAL,
            "not of the report that was approved",
        ),
        (notice(Route.TELEGRAM_MAIL), APPROVAL, "takes no mail"),
        (notice(Route.HOTLINE, recipient="iwf"), APPROVAL, "takes no mail"),
        (replace(approved(), sender=None), APPROVAL, "leaves out who sends it"),
    ],
)
async def test_nothing_leaves_that_may_not(pem: Path, made: Notice, approval: Approval, words: str) -> None:
    inbox = Inbox()
    async with server(pem, inbox) as mail_server:
        with pytest.raises(InputError, match=words):
            await send(made, mail_server, approval)
    assert inbox.names == []


async def test_a_notice_without_a_sender_is_not_mailed_even_to_a_recipient_with_an_address(pem: Path) -> None:
    child = notice(Route.DSA, Category.CHILD)
    mailed = replace(child, recipient=approved().recipient)
    async with server(pem, Inbox()) as mail_server:
        with pytest.raises(InputError, match="leaves out who sends it"):
            await send(mailed, mail_server, APPROVAL)


@pytest.mark.parametrize(
    ("step", "reply", "error", "words"),
    [
        ("GREETING", "554 go away, spammer", MailRefused, "the connection .SMTP 554"),
        ("GREETING", "421 busy", MailUnavailable, "the connection .SMTP 421"),
        (
            "AUTH",
            "535 wrong words",
            MailRefused,
            "the sign-in; see smtp.username and smtp.password .SMTP 535",
        ),
        ("AUTH", "454 later", MailUnavailable, "the sign-in.* .SMTP 454"),
        ("MAIL", "550 not you", MailRefused, "the sender .SMTP 550"),
        ("RCPT", "550 no such mailbox stopCA@telegram.org", MailRefused, "the recipient .SMTP 550"),
        ("RCPT", "451 greylisted", MailUnavailable, "the recipient .SMTP 451"),
        ("DATA", "451 later", MailUnavailable, "SMTP 451"),
        ("MAIL_DATA", "554 content refused", MailRefused, "the mail .SMTP 554"),
        ("MAIL_DATA", "452 disk full", MailUnavailable, "the mail .SMTP 452"),
    ],
)
async def test_a_refusal_is_named_and_says_whether_to_try_again(
    pem: Path, step: str, reply: str, error: type[Exception], words: str
) -> None:
    inbox = Inbox(replies={step: reply})
    async with server(pem, inbox) as mail_server:
        with pytest.raises(error, match=words) as caught:
            await send(approved(), mail_server, APPROVAL)
    assert isinstance(caught.value, FatalError if error is MailRefused else RetryableError)
    assert reply.split(" ", 1)[1] not in str(caught.value), "what a server says may quote addresses"
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT"])
async def test_a_connection_that_ends_before_the_mail_is_tried_again(pem: Path, step: str) -> None:
    inbox = Inbox(hang_up=step)
    async with server(pem, inbox) as mail_server:
        with pytest.raises(MailUnavailable, match="nothing was sent"):
            await send(approved(), mail_server, APPROVAL)
    assert inbox.mails == []


async def test_a_connection_that_ends_with_the_mail_leaves_nobody_sure(pem: Path) -> None:
    async with server(pem, Inbox(hang_up="MAIL_DATA")) as mail_server:
        with pytest.raises(MailUncertain, match="ask the recipient before it is sent again") as caught:
            await send(approved(), mail_server, APPROVAL)
    assert not isinstance(caught.value, RetryableError)


async def test_without_starttls_no_word_is_sent(pem: Path) -> None:
    inbox = Inbox(starttls=False)
    async with server(pem, inbox) as mail_server:
        with pytest.raises(MailRefused, match="STARTTLS"):
            await send(approved(), mail_server, APPROVAL)
    assert set(inbox.in_clear) <= {"EHLO", "QUIT"}


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_is_not_trusted_ends_it(pem: Path, security: str) -> None:
    inbox = Inbox()
    async with server(pem, inbox, security) as mail_server:
        with pytest.raises(
            MailRefused, match=r"certificate is not trusted; see smtp\.host and smtp\.ca_file"
        ):
            await send(approved(), replace(mail_server, ca_file=None), APPROVAL)
    assert inbox.sign_ins == inbox.mails == []


async def test_a_certificate_of_another_host_ends_it(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "192.0.2.1")
    inbox = Inbox()
    async with server(pem, inbox) as mail_server:
        with pytest.raises(MailRefused, match="certificate is not trusted"):
            await send(approved(), mail_server, APPROVAL)
    assert inbox.mails == []


async def test_the_wrong_kind_of_security_is_named(pem: Path) -> None:
    async with server(pem, Inbox(), "starttls") as mail_server:
        with pytest.raises(MailRefused, match="does not speak TLS"):
            await send(approved(), replace(mail_server, security="tls"), APPROVAL)


async def test_a_server_that_is_not_there_or_says_nothing_is_tried_again(pem: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(MailUnavailable, match="cannot be reached"):
            await send(approved(), MailServer("127.0.0.1", unused.getsockname()[1], ca_file=pem), APPROVAL)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    quiet = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with quiet:
        port = quiet.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailable, match="cannot be reached"):
            await send(approved(), MailServer("127.0.0.1", port, ca_file=pem, timeout=0.2), APPROVAL)


async def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"smtp\.ca_file"):
        await send(approved(), MailServer("127.0.0.1", 1, ca_file=tmp_path / "ca.pem"), APPROVAL)


def test_a_password_is_not_shown() -> None:
    assert "horse" not in repr(MailServer("mail.example.org", password="correct horse"))
