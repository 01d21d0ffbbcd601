"""A notice as a mail: RFC 5322 and MIME, UTF-8, a draft that opens ready to send; the same bytes each time."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from monitor.errors import InputError
from monitor.model import MAILBOX
from monitor.reporting.notices.notice import Notice

LONGEST_NAME = 100
"""Characters of a name that a header carries."""


def eml(notice: Notice, sender: str | None = None) -> bytes:
    """The notice as an .eml file with CRLF line ends, which a mail program opens as a draft (X-Unsent).

    From is `sender`, or the operator's address; it is left out where the notice does not tell who sends it,
    as To is where the recipient takes no mail. Raises InputError for what is no address.
    """
    return encoded(message(notice, sender, draft=True))


def message(notice: Notice, sender: str | None = None, *, draft: bool) -> EmailMessage:
    """The notice as a message. `draft` adds X-Unsent: 1."""
    made = EmailMessage(policy=SMTP)
    address = sender or (notice.sender.email if notice.sender else None)
    if notice.sender is not None and address:
        made["From"] = Address(_name(notice.sender.organisation), addr_spec=_checked(address))
    if notice.recipient is not None and notice.recipient.email:
        made["To"] = Address(addr_spec=_checked(notice.recipient.email))
    made["Subject"] = _unencoded(notice.title)
    made["Date"] = format_datetime(notice.made_at)
    made["Message-ID"] = message_id(notice, address)
    if draft:
        made["X-Unsent"] = "1"
    # base64: no line is too long for a server, whatever the language.
    made.set_content(notice.text, cte="base64")
    made.add_alternative(notice.html, subtype="html", cte="base64")
    # Not in base64's alphabet, so that it cannot stand in a part; and not random, so that the bytes are the same.
    made.set_boundary(f"=_{notice.sha256[:40]}")
    return made


def encoded(mail: EmailMessage) -> bytes:
    """The message as bytes, with CRLF line ends. Raises InputError when it would have other headers than were set."""
    data = mail.as_bytes()
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    names = [line.partition(b":")[0].decode("ascii", "replace") for line in head.split(b"\r\n")]
    if names != mail.keys():
        raise InputError("a name or a title cannot stand in a mail's header; see operator_details")
    return data


def message_id(notice: Notice, address: str | None) -> str:
    """The same for the same notice: a recipient can tell a mail that came twice."""
    domain = address.rpartition("@")[2] if address else "notice.invalid"
    return f"<{notice.sha256[:40]}@{domain}>"


def _checked(address: str) -> str:
    if not MAILBOX.fullmatch(address):
        raise InputError("a notice's mail address is none; write for example reports@example.org")
    return address


def _name(organisation: str | None) -> str:
    return _unencoded(organisation or "")[:LONGEST_NAME]


def _unencoded(text: str) -> str:
    """A text in which nothing is an encoded word (RFC 2047): the library would decode it, line breaks and all."""
    return text.replace("=?", "= ?")
