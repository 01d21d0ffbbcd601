"""Who reports, and what notices are made of and sent with."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.values import Duration, Section, Words
from monitor.model import MAILBOX, OperatorDetails
from monitor.secrets import Secret


def _mailbox(value: str) -> str:
    if not MAILBOX.fullmatch(value):
        raise ValueError("is not a mail address; write for example reports@example.org")
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Operator(Section):
    """Who reports, as notices name them. Each route says what of it is needed: monitor notice list."""

    organisation: Words | None = None
    address: Words | None = None
    contact_name: Words | None = None
    email: Mailbox | None = None
    phone: Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()./-]{1,39}$")] | None = None
    language: Literal["en", "ko"] = "en"

    def value(self) -> OperatorDetails:
        """The details as they travel."""
        return OperatorDetails(**self.model_dump())


class Notices(Section):
    """What of one's own replaces ours: a folder of templates, a register of recipients."""

    templates: Path | None = None
    recipients: Path | None = None


class Smtp(Section):
    """A server that takes mail. `sender` is operator_details.email unless named; `ca_file` a PEM file of
    certificate authorities, for a server of one's own."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,255}$")]
    port: Annotated[int, Field(gt=0, lt=65536)] = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: Words | None = None
    password: Secret | None = None
    sender: Mailbox | None = None
    ca_file: Path | None = None
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=10))] = timedelta(
        seconds=60
    )

    @model_validator(mode="after")
    def _both(self) -> "Smtp":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; name both or neither")
        return self
