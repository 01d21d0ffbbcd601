"""The report log gets another key: on record as an event, and said in a checkpoint that both keys sign."""

import asyncio
import secrets
from pathlib import Path
from typing import NamedTuple

from monitor.clock import now
from monitor.config import Config
from monitor.errors import ConfigError, InputError
from monitor.model import EventType, Scalar
from monitor.proving import required_signer
from monitor.reportlog import Checkpoint, Signer, VerifierKey, known_keys, locked, open_log, project
from monitor.reportlog.log import write_keys
from monitor.reportlog.note import SEED_BYTES
from monitor.secrets import SEALING_KEY, read_private, replace_private, write_private
from monitor.state import sole
from monitor.store import open_store


class Rotated(NamedTuple):
    """The key in use from now on, and the first checkpoint that it signed, together with the one before."""

    new: VerifierKey
    checkpoint: Checkpoint


def rotate(config: Config, operator: str, *, keep: Path | None, revoked: bool) -> Rotated:
    """Put a new key in the place of the old one. What was cut short is brought to its end by the next call.

    Raises ConfigError, InputError (also while a daemon runs, which holds the old key), and what the log raises.
    """
    old, where = required_signer(config), f"{config.path}: report_log.key"
    path = _file(config)
    if keep is not None and keep.absolute().is_relative_to(config.state):
        raise InputError(f"--keep: {keep} lies in the state directory; keep the key elsewhere")
    fresh = path.with_name(path.name + ".new")
    with sole(config.state):
        if keep is not None and not keep.exists():
            write_private(keep, read_private(path, where))
        if not fresh.exists():
            write_private(fresh, secrets.token_hex(SEED_BYTES).encode("ascii") + b"\n")
        new = Signer(old.name, _seed(fresh, where))
        asyncio.run(_announce(config, operator, old, new.key, revoked=revoked))
        with open_log(config.log, new) as opened:
            # Whoever knows the old key alone learns from its own signature that this is the same log.
            checkpoint = opened.commit(old)
        replace_private(path, fresh)
    return Rotated(new.key, checkpoint)


async def _announce(config: Config, operator: str, old: Signer, new: VerifierKey, *, revoked: bool) -> None:
    """Put the change on record under the old key, and the new one among the keys of the log."""
    async with open_store(config.database) as store:
        known = known_keys(config.log) if config.log.exists() else ()
        if new in known:
            return  # that far it had come when it was cut short
        body: dict[str, Scalar] = {
            "old": old.key.id.hex(),
            "new": new.id.hex(),
            "new_public": new.public.hex(),
            "revoked": revoked,
            "operator": operator,
        }
        await store.append(EventType.LOG_KEY_ROTATED, body, now())
        await project(store.reader.leaves, config.log, old)
    with locked(config.log):
        write_keys(config.log, (*known_keys(config.log), new))


def _file(config: Config) -> Path:
    """The file in which the key lies. Raises ConfigError where it is kept by other means."""
    where = config.report_log.key.file if config.report_log is not None else None
    if where is None:
        raise ConfigError(
            f"{config.path}: report_log.key: is not a file, so it is not ours to replace; see docs/report-log.md"
        )
    return config.resolve(where)


def _seed(path: Path, where: str) -> bytes:
    text = read_private(path, where).decode("ascii", "replace").strip()
    if not SEALING_KEY.fullmatch(text):
        raise ConfigError(f"{where}: {path} was cut short; remove it and run this again")
    return bytes.fromhex(text)
