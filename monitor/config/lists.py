"""Hash lists and the terms under which they are held."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from monitor.config.values import Ending, Name, Section, Words
from monitor.model import Algorithm, Category, ListAction, Provenance, Terms
from monitor.secrets import Secret

LOCAL = "local"
"""The format of a list that is kept here."""

ListLabel = Annotated[str, Field(min_length=1, max_length=64, coerce_numbers_to_str=True)]


class ListTerms(Section):
    """Under which terms a hash list is held."""

    licensor: Words
    reference: Words
    permitted_uses: Annotated[frozenset[Literal["detect", "report", "research"]], Field(min_length=1)]

    def value(self) -> Terms:
        """The terms as they travel."""
        return Terms(self.licensor, self.reference, frozenset(self.permitted_uses))


class HashListEntry(Section):
    """One hash list: a file, or what an exchange gives. `algorithm` selects; it may be left out where the form says
    what a value is.

    `max_distance` and `min_quality` are of its perceptual hashes, and come before those of `matching`. `labels`
    says what the list's labels mean. `stale_after` is in days. `key` opens an encrypted file.
    """

    name: Name
    file: Path | None = None
    exchange: Name | None = None
    format: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] = "csv"
    algorithm: Algorithm | None = None
    action: ListAction = ListAction.FLAG
    max_distance: Annotated[int, Field(ge=0, le=256)] | None = None
    min_quality: Annotated[int, Field(ge=0, le=100)] | None = None
    labels: dict[ListLabel, Category] = Field(default_factory=dict)
    provenance: Provenance = Provenance.UNKNOWN
    expires: Ending | None = None
    stale_after: Annotated[int, Field(gt=0, le=36_500)] | None = None
    manifest: Path | None = None
    key: Secret | None = None
    terms: ListTerms

    @model_validator(mode="before")
    @classmethod
    def _reviewed(cls, data: object) -> object:
        # What victims hand in nobody has vetted; its labels are categories.
        if isinstance(data, dict) and data.get("format") == LOCAL:
            usual = {"labels": {c.value: c for c in Category}, "provenance": Provenance.OWN}
            return {"action": ListAction.REVIEW} | usual | data
        return data

    @model_validator(mode="after")
    def _stays_here(self) -> "HashListEntry":
        if self.local and self.exchange is not None:
            raise ValueError("exchange: a local list has nothing to do with an exchange; write file")
        if self.local and self.action is ListAction.IGNORE:
            raise ValueError("action: a local list holds what victims handed in; write review or flag")
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> "HashListEntry":
        if (self.file is None) == (self.exchange is None):
            raise ValueError("takes either file or exchange")
        return self

    @model_validator(mode="after")
    def _perceptual(self) -> "HashListEntry":
        limited = self.max_distance is not None or self.min_quality is not None
        if limited and self.algorithm is not None and self.algorithm.exact:
            raise ValueError(
                f"max_distance and min_quality belong to perceptual hashes, not to {self.algorithm}"
            )
        return self

    @property
    def local(self) -> bool:
        """Whether it is kept here, by monitor hash --to-list."""
        return self.format == LOCAL

    def expired(self, at: datetime) -> bool:
        """Whether its terms have ended; from then on it is not opened."""
        return self.expires is not None and at > self.expires

    @field_validator("terms")
    @classmethod
    def _detect(cls, value: ListTerms) -> ListTerms:
        if "detect" not in value.permitted_uses:
            raise ValueError(
                "permitted_uses lacks detect; a list that may not be used to detect is not loaded"
            )
        return value
