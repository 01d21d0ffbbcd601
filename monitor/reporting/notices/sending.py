"""Mail out: one approved notice to one recipient over TLS, and what came of it, by name."""

import asyncio
import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from monitor.errors import ConfigError, InputError, MailRefused, MailUnavailable, MailUncertain
from monitor.reporting.notices.mail import encoded, message
from monitor.reporting.notices.notice import Notice

FIRST_PERMANENT = 500
"""SMTP replies from here on will be the same next time (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that takes mail: with TLS from the start, or by STARTTLS; never without. `timeout` in seconds.

    `sender` stands in From and on the envelope, the operator's own address where it is None. `ca_file` holds
    the authorities to trust, those of the system where it is None.
    """

    host: str
    port: int = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str | None = None
    ca_file: Path | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved which report, and when. Without one nothing is sent."""

    by: str
    at: datetime
    report_id: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that the server took: its Message-ID, who it went to, the digest of the notice's text."""

    message_id: str
    to: str
    sha256: str


def compose(notice: Notice, server: MailServer, approval: Approval) -> EmailMessage:
    """The mail that `send` sends: the same for the same notice. Raises InputError when it may not or cannot be."""
    if notice.report_id is None or approval.report_id != notice.report_id:
        raise InputError("the notice is not of the report that was approved; nothing was sent")
    if notice.recipient is None or not notice.recipient.email:
        raise InputError(
            "the recipient takes no mail; hand the notice over as its entry in the register says"
        )
    sender = server.sender or (notice.sender.email if notice.sender else None)
    if notice.sender is None or not sender:
        raise InputError("the notice leaves out who sends it; hand it over without a mail")
    return message(notice, sender, draft=False)


async def send(notice: Notice, server: MailServer, approval: Approval) -> Sent:
    """Mail the notice, once. Tries once: whoever repeats it decides on the error.

    Raises InputError when the notice may not or cannot be mailed, MailUnavailable when it surely was not sent and
    may be later, MailRefused when it surely was not and will not be, MailUncertain when nobody can tell. A call
    that is cancelled may have sent it all the same.
    """
    mail = compose(notice, server, approval)
    sender, to = (str(mail[name].addresses[0].addr_spec) for name in ("From", "To"))
    await asyncio.to_thread(_deliver, server, sender, to, encoded(mail))
    return Sent(str(mail["Message-ID"]), to, notice.sha256)


def _deliver(server: MailServer, sender: str, to: str, data: bytes) -> None:
    where = f"{server.host}:{server.port}"
    context = _context(server)
    try:
        smtp = _connected(server, context, sender.rpartition("@")[2])
    except (smtplib.SMTPException, OSError, UnicodeEncodeError) as e:
        raise _named(e, where) from e
    try:
        for step, (code, _) in (("sender", smtp.mail(sender)), ("recipient", smtp.rcpt(to))):
            if code not in (250, 251):
                raise _refused(where, f"the {step}", code)
        try:
            code, _ = smtp.data(data)
        except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError) as e:
            raise MailUncertain(
                f"{where}: the connection ended while the mail was handed over, so that nobody can tell whether"
                " it was taken; ask the recipient before it is sent again"
            ) from e
        if code != 250:
            raise _refused(where, "the mail", code)
    except (smtplib.SMTPException, OSError) as e:
        raise _named(e, where) from e
    finally:
        # What was taken stays taken, whatever comes of the farewell.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def _context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(f"smtp.ca_file: {server.ca_file} cannot be read as certificates (PEM)") from e


def _connected(server: MailServer, context: ssl.SSLContext, name: str) -> smtplib.SMTP:
    """A connection under TLS, signed in where there is a username. Our machine's own name is not told."""
    smtp: smtplib.SMTP
    if server.security == "tls":
        smtp = smtplib.SMTP_SSL(server.host, server.port, name, timeout=server.timeout, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, name, timeout=server.timeout)
    try:
        if server.security == "starttls":
            smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        if server.username is not None:
            smtp.login(server.username, server.password or "")
    except BaseException:
        smtp.close()
        raise
    return smtp


def _named(error: Exception, where: str) -> MailUnavailable | MailRefused:
    """A library's error as one of ours. What the server said is left out: it may quote addresses."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _refused(where, "the sign-in; see smtp.username and smtp.password", error.smtp_code)
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(where, "the connection", error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return MailRefused(f"{where}: offers no STARTTLS or no sign-in; see smtp.security; nothing was sent")
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailRefused(
            f"{where}: its certificate is not trusted; see smtp.host and smtp.ca_file; nothing was sent"
        )
    if isinstance(error, ssl.SSLError):
        return MailRefused(f"{where}: does not speak TLS; see smtp.port and smtp.security; nothing was sent")
    if isinstance(error, UnicodeEncodeError):
        return MailRefused("smtp: username and password are ASCII; nothing was sent")
    return MailUnavailable(f"{where}: cannot be reached ({type(error).__name__}); nothing was sent")


def _refused(where: str, what: str, code: int) -> MailUnavailable | MailRefused:
    kind = MailRefused if code >= FIRST_PERMANENT else MailUnavailable
    return kind(f"{where}: did not take {what} (SMTP {code}); nothing was sent")
