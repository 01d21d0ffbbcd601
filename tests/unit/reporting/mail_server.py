"""A mail server on loopback (RFC 5321) with a certificate of its own, which can be told to behave badly."""

import asyncio
import base64
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Inbox:
    """What a server was told. `replies` replaces its answer to a command; `hang_up` is after which it goes away."""

    port: int = 0
    replies: Mapping[str, str] = field(default_factory=dict)
    hang_up: str | None = None
    starttls: bool = True
    senders: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    sign_ins: list[bytes] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    in_clear: list[str] = field(default_factory=list)


def certificate(folder: Path, address: str = "127.0.0.1") -> Path:
    """A key and a certificate for an address in one PEM file, good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.asynccontextmanager
async def serving(pem: Path, inbox: Inbox, security: str) -> AsyncIterator[Inbox]:
    """Serve on a free port until the end of the block; `security` is tls or starttls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            # A client that does not trust us ends the handshake, and that is its right.
            with contextlib.suppress(
                ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await _Talk(reader, writer, inbox, context, secure=security == "tls").run()
        finally:
            talks.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


class _Talk:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inbox: Inbox,
        context: ssl.SSLContext,
        *,
        secure: bool,
    ) -> None:
        self._reader, self._writer, self._inbox, self._context = reader, writer, inbox, context
        self._secure = secure

    async def run(self) -> None:
        if not await self._say("GREETING", "220 mail.test"):
            return
        while line := await self._reader.readline():
            words = line.decode("ascii").split()
            verb = words[0].upper()
            if not self._secure:
                self._inbox.in_clear.append(verb)
            if not await self._obey(verb, words):
                return

    async def _obey(self, verb: str, words: list[str]) -> bool:
        """Answer; False when the connection is to end."""
        if verb == "EHLO":
            self._inbox.names.append(words[1])
            offers = [
                "250-mail.test",
                *(["250-STARTTLS"] if not self._secure and self._inbox.starttls else []),
            ]
            return await self._say(verb, "\r\n".join([*offers, "250 AUTH PLAIN"]))
        if verb == "STARTTLS":
            if await self._say(verb, "220 go on"):
                await self._writer.start_tls(self._context)
                self._secure = True
            return True
        if verb == "AUTH":
            self._inbox.sign_ins.append(base64.b64decode(words[2]))
            return await self._say(verb, "235 welcome")
        if verb == "MAIL":
            self._inbox.senders.append(words[1].removeprefix("FROM:<").partition(">")[0])
        elif verb == "RCPT":
            self._inbox.recipients.append(words[1].removeprefix("TO:<").partition(">")[0])
        elif verb == "DATA":
            return await self._data()
        elif verb == "QUIT":
            await self._say(verb, "221 bye")
            return False
        return await self._say(verb, "250 good")

    async def _data(self) -> bool:
        if not await self._say("DATA", "354 go on") or "DATA" in self._inbox.replies:
            return "DATA" in self._inbox.replies
        mail = await self._reader.readuntil(b"\r\n.\r\n")
        if self._inbox.hang_up != "MAIL_DATA":
            self._inbox.mails.append(mail.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
        return await self._say("MAIL_DATA", "250 taken")

    async def _say(self, step: str, usual: str) -> bool:
        if self._inbox.hang_up == step:
            return False
        self._writer.write(self._inbox.replies.get(step, usual).encode("ascii") + b"\r\n")
        await self._writer.drain()
        return True
