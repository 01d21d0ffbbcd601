"""The log that others can verify."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from monitor.config.values import Section
from monitor.secrets import Secret


class Authority(Section):
    """Who time-stamps checkpoints (RFC 3161), and the certificates (PEM) that its stamps are checked with."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
    certificates: Path


class ReportLog(Section):
    """The log that others can verify: its name, the key that signs it, who time-stamps it."""

    origin: Annotated[str, Field(pattern=r"^[!-*,-~]{1,200}$")]
    key: Secret
    timestamps: tuple[Authority, ...] = ()
