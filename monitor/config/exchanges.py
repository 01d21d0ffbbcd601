"""Exchanges of hashes, and what each kind of them has to be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.config.values import Duration, Name, Section, Words
from monitor.secrets import Secret

EXCHANGE_KEYS = {
    "ncmec": ("url", "username", "password"),
    "stopncii": ("subscription_key", "function_key"),
    "threatexchange": ("privacy_group", "token"),
    "tat": ("username", "password"),
}
"""What each kind of exchange needs to know; each may be given a url of its own."""


def _exchange_url(value: str) -> str:
    parts = urlsplit(value)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError("is no address of the form https://host/path")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than host and path; credentials have keys of their own")
    return value


class ExchangeEntry(Section):
    """One exchange of hashes that is asked every so often; which keys it takes depends on its kind."""

    name: Name
    kind: Literal["ncmec", "stopncii", "threatexchange", "tat"]
    url: Annotated[str | None, AfterValidator(_exchange_url)] = None
    username: Words | None = None
    password: Secret | None = None
    subscription_key: Secret | None = None
    function_key: Secret | None = None
    token: Secret | None = None
    privacy_group: Annotated[int, Field(gt=0)] | None = None
    every: Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(days=7))] = timedelta(hours=1)

    @model_validator(mode="after")
    def _keys(self) -> "ExchangeEntry":
        takes = EXCHANGE_KEYS[self.kind]
        given = {key for keys in EXCHANGE_KEYS.values() for key in keys if getattr(self, key) is not None}
        if missing := [key for key in takes if key not in given]:
            raise ValueError(f"{missing[0]} is missing; {self.kind} takes {', '.join(takes)}")
        if others := sorted(given - {*takes, "url"}):
            raise ValueError(f"{others[0]}: is nothing that {self.kind} takes; it takes {', '.join(takes)}")
        return self

    def secrets(self, folder: Path, key: str) -> dict[str, str]:
        """The values of its secrets, read now. Raises ConfigError."""
        declared = {name: getattr(self, name) for name in EXCHANGE_KEYS[self.kind]}
        return {
            name: secret.read(folder, f"{key}: exchange {self.name}: {name}")
            for name, secret in declared.items()
            if isinstance(secret, Secret)
        }
