"""Where a secret lies, and how it is read: by the command that uses it, when it uses it."""

import os
import re
import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from monitor.errors import ConfigError


class Secret(BaseModel):
    """One of: environment variable, file (0600), systemd credential, keyring entry "service/user"."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    env: str | None = None
    file: Path | None = None
    credential: str | None = None
    keyring: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if isinstance(data, str):
            raise ValueError(
                "a secret does not stand in the configuration; write {env: NAME} or {file: PATH}"
            )
        return data

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        given = [name for name in ("env", "file", "credential", "keyring") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("takes exactly one of env, file, credential, keyring")
        if self.credential is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", self.credential):
            raise ValueError("credential is the name of a systemd credential, without a path")
        return self

    def read(self, folder: Path, key: str) -> str:
        """The secret's value. Raises ConfigError that names `key` and the remedy, never the value."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            if not value:
                raise ConfigError(f"{key}: the environment variable {self.env} is not set; set it")
            return value
        if self.file is not None:
            return read_private(folder / self.file.expanduser(), key).decode("utf-8", "replace").strip()
        if self.credential is not None:
            base = os.environ.get("CREDENTIALS_DIRECTORY")
            if base is None:
                raise ConfigError(
                    f"{key}: no systemd credentials here; run as the unit that LoadCredential= serves"
                )
            # systemd keeps the folder private itself, with modes of its own.
            return _read(Path(base) / self.credential, key).decode("utf-8", "replace").strip()
        return _from_keyring(self.keyring or "", key)


def read_private(path: Path, key: str) -> bytes:
    """A file that nobody else may read. Raises ConfigError with the command that mends loose permissions."""
    data = _read(path, key)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(f"{key}: {path} can be read by others; run: chmod 600 {path}")
    if not data.strip():
        raise ConfigError(f"{key}: {path} is empty")
    return data


def _read(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{key}: {path} cannot be read ({e.strerror}); create it or name another") from e


def _from_keyring(entry: str, key: str) -> str:
    service, _, user = entry.partition("/")
    try:
        import keyring
    except ImportError as e:
        raise ConfigError(
            f"{key}: the keyring package is not installed; install it or use env or file"
        ) from e
    value = keyring.get_password(service, user)
    if not value:
        raise ConfigError(
            f"{key}: the keyring has no entry {entry}; add it with: keyring set {service} {user}"
        )
    return str(value)
