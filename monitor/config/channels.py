"""The channels that are declared, and why each may be collected."""

from typing import Annotated

from pydantic import Field, model_validator

from monitor.config.values import Beginning, Ending, Name, Section, Username, Words
from monitor.model import Authorization, Basis, ChatKind


class AuthorizationRecord(Section):
    """Why one channel may be collected, from when to when. A plain date counts whole."""

    reference: Words
    basis: Basis
    granted_by: Words
    valid_from: Beginning
    valid_until: Ending
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    approved_by: Words | None = None
    terms: Words | None = None

    @model_validator(mode="after")
    def _order(self) -> "AuthorizationRecord":
        if self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self

    def value(self) -> Authorization:
        """The record as it travels."""
        return Authorization(
            reference=self.reference,
            granted_by=self.granted_by,
            basis=self.basis,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            document_sha256=bytes.fromhex(self.document_sha256) if self.document_sha256 else None,
            approved_by=self.approved_by,
            terms=self.terms,
        )


class Past(Section):
    """How much of a channel's past is collected; nothing said is all of it."""

    messages: Annotated[int, Field(ge=0)] | None = None
    since: Beginning | None = None

    @model_validator(mode="after")
    def _one(self) -> "Past":
        if self.messages is not None and self.since is not None:
            raise ValueError("takes messages or since, not both")
        return self


class ChannelEntry(Section):
    """One declared channel. `id` pins it, whoever holds the username later."""

    username: Username
    id: Annotated[int, Field(gt=0)] | None = None
    account: Name | None = None
    includes: Annotated[frozenset[ChatKind], Field(min_length=1)] = frozenset({ChatKind.BROADCAST})
    leave_when_ended: bool = False
    authorization: AuthorizationRecord | None = None
    backfill: Past = Past()
