"""Where a secret lies, and how it is read: by the command that uses it, when it uses it.

Never from the command line, where every process can see it. No message and no `repr` holds a value.
"""

import os
import re
import shlex
import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.errors import ConfigError, InputError

SOURCES = ("credential", "keyring", "env", "file")
"""In this order, where a configuration names several: from the best kept to the least."""


class Secret(BaseModel):
    """Where one secret lies: a systemd credential, a keyring entry "service/user", an environment variable, a
    file (0600).

    Usually one of them. Of several the first that is there counts, in the order of SOURCES: so one
    configuration serves under systemd and by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    credential: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]+$")
    keyring: str | None = Field(None, pattern=r"^[^/]+/.+$")
    env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if isinstance(data, str):
            raise ValueError(
                "a secret does not stand in the configuration; write {env: NAME} or {file: PATH}"
            )
        return data

    @model_validator(mode="after")
    def _some(self) -> "Secret":
        if all(getattr(self, source) is None for source in SOURCES):
            raise ValueError("takes at least one of credential, keyring, env, file")
        return self

    def read(self, folder: Path, key: str) -> str:
        """The secret's value. Raises ConfigError that names `key` and the remedies, never the value.

        A source that is there and cannot be used (a file open to others) is an error, not passed over.
        """
        missing = []
        for read, name in (
            (_from_credential, self.credential),
            (_from_keyring, self.keyring),
            (_from_environment, self.env),
        ):
            if name is not None:
                try:
                    return read(name, key)
                except _Absent as e:
                    missing.append(str(e))
        if self.file is not None:
            path = folder / self.file.expanduser()
            try:
                return _text(read_private(path, key), key)
            except ConfigError as e:
                if not (missing and isinstance(e.__cause__, FileNotFoundError)):
                    raise
                missing.append(f"{path} does not exist; create it (0600)")
        raise ConfigError(f"{key}: " + ", or: ".join(missing))


class _Absent(Exception):
    """This source has no such secret; the message says what to do."""


def read_private(path: Path, key: str) -> bytes:
    """What is in a file that nobody else may read. Raises ConfigError with the command that mends loose permissions."""
    try:
        with open(path, "rb") as file:
            # Of the open file: the path may lead to another one by now.
            _private(path, os.fstat(file.fileno()), key)
            data = file.read()
    except OSError as e:
        raise ConfigError(f"{key}: {path} cannot be read ({e.strerror}); create it or name another") from e
    if not data.strip():
        raise ConfigError(f"{key}: {path} is empty")
    return data


def private_file(path: Path, key: str) -> None:
    """See that nobody else can read or change a file, where it exists.

    Raises ConfigError that names `key`, with the command that mends it.
    """
    found = _found(path, key)
    if found is not None:
        _private(path, found, key)


def _found(path: Path, key: str) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise ConfigError(f"{key}: {path} cannot be looked at ({e.strerror}); name another") from e


def _private(path: Path, found: os.stat_result, key: str) -> None:
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(f"{key}: {path} is open to others; run: chmod 600 {shlex.quote(str(path))}")


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that nobody else may read (0600), durably. Raises InputError when there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise InputError(f"{path}: exists already; it is left as it is") from e
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); name another") from e
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def replace_private(path: Path, fresh: Path) -> None:
    """Put `fresh` in the place of `path`, in one step, and overwrite what lay there.

    A disk that writes elsewhere than it is told (flash, snapshots, backups) may still hold it. Raises OSError.
    """
    with open(path, "r+b") as old:
        os.replace(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        # Only now: an interruption leaves either the old key or the new one, never a key of zeros.
        old.write(bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())


SEALING_KEY = re.compile(r"[0-9a-fA-F]{64}")


def sealing_key(secret: Secret, folder: Path, state: Path, key: str) -> bytes:
    """The 32 bytes under which sessions are sealed, from 64 hexadecimal digits.

    `state` is the folder in which the sessions lie: the key may not. Raises ConfigError that names `key`.
    """
    if secret.file is not None:
        path = Path(os.path.abspath(folder / secret.file.expanduser()))
        if path.is_relative_to(state):
            raise ConfigError(
                f"{key}: {path} lies in the state directory; keep it elsewhere, or whoever takes one has both"
            )
    value = secret.read(folder, key)
    if not SEALING_KEY.fullmatch(value):
        raise ConfigError(f"{key}: is not 64 hexadecimal digits; make one with: openssl rand -hex 32")
    return bytes.fromhex(value)


def _from_credential(name: str, key: str) -> str:
    base = os.environ.get("CREDENTIALS_DIRECTORY")
    if base is None:
        raise _Absent("no systemd credentials here; run as the unit that LoadCredential= serves")
    path = Path(base) / name
    try:
        # systemd keeps the folder private itself, with modes of its own.
        return _text(path.read_bytes(), key)
    except FileNotFoundError:
        raise _Absent(f"no systemd credential {name}; add LoadCredential={name}: to the unit") from None
    except OSError as e:
        raise ConfigError(f"{key}: the systemd credential {name} cannot be read ({e.strerror})") from e


def _from_keyring(entry: str, key: str) -> str:
    service, _, user = entry.partition("/")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise _Absent("the keyring package is not installed; install it or use env or file") from None
    try:
        value = keyring.get_password(service, user)
    except KeyringError as e:
        raise _Absent(f"no keyring answers here ({type(e).__name__}); use env or file") from None
    if not value:
        raise _Absent(f"the keyring has no entry {entry}; add it with: keyring set {service} {user}")
    return str(value)


def _from_environment(name: str, key: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise _Absent(f"the environment variable {name} is not set; set it")
    return value


def _text(data: bytes, key: str) -> str:
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        # Not chained: that error quotes the bytes.
        raise ConfigError(f"{key}: is not UTF-8 text; write it anew") from None
