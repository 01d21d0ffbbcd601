"""Open what a configuration names: secrets, keys, lists. All of it before a run, and nothing is written."""

import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.config import Config, HashListEntry
from monitor.errors import ConfigError
from monitor.matching.lists import HashList, load_list
from monitor.model import Algorithm
from monitor.secrets import read_private
from monitor.telegram.client import Credentials, Endpoint
from monitor.telegram.pseudonyms import KEY_BYTES, Pseudonyms


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a run needs from the configuration, opened and found in order."""

    config: Config
    credentials: dict[str, Credentials]
    endpoint: Endpoint | None
    pseudonyms: Pseudonyms
    lists: tuple[HashList, ...]
    sealing_key: bytes | None = field(default=None, repr=False)


def prepare(config: Config) -> Prepared:
    """Open what the configuration names. Raises ConfigError or HashListError; nothing is written."""
    if not config.accounts:
        raise ConfigError(f"{config.path}: accounts: none is declared; add one with its api_id and api_hash")
    private_state(config)
    return Prepared(
        config,
        {account.name: credentials(config, account.name) for account in config.accounts},
        endpoint(config),
        pseudonyms(config),
        tuple(read_list(config, entry) for entry in config.hash_lists),
        config.sealing_key(),
    )


def credentials(config: Config, name: str | None) -> Credentials:
    """What identifies the application for one account. Raises ConfigError when its secret cannot be read."""
    account = config.account(name)
    api_hash = account.api_hash.read(config.path.parent, f"{config.path}: account {account.name}: api_hash")
    return Credentials(account.api_id, api_hash, config.telegram.proxy)


def endpoint(config: Config) -> Endpoint | None:
    """The test data centre of the configuration; None for the platform's own. Raises ConfigError."""
    server = config.telegram.server
    if server is None:
        return None
    path = config.resolve(server.public_key)
    try:
        key = path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"{config.path}: telegram.server.public_key: {path} cannot be read ({e.strerror})"
        ) from e
    return Endpoint(server.dc, server.host, server.port, key)


def pseudonyms(config: Config) -> Pseudonyms:
    """The project's pseudonyms. Raises ConfigError as `pseudonym_key` does."""
    return Pseudonyms(pseudonym_key(config))


def pseudonym_key(config: Config) -> bytes:
    """The key of pseudonyms. Raises ConfigError when it is missing, loose, or inside the state directory."""
    path = config.resolve(config.pseudonym_key.file)
    where = f"{config.path}: pseudonym_key"
    if path.is_relative_to(config.state):
        raise ConfigError(
            f"{where}: {path} lies in the state directory; keep it elsewhere, so that they part ways"
        )
    if not path.exists():
        raise ConfigError(f"{where}: {path} does not exist; monitor init makes one")
    key = read_private(path, where)
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{where}: {path} is shorter than {KEY_BYTES} bytes; monitor init makes one")
    return key


def read_list(config: Config, entry: HashListEntry) -> HashList:
    """One declared hash list. Raises HashListError."""
    limit = {
        Algorithm.PDQ: config.matching.pdq,
        Algorithm.PHASH: config.matching.phash,
        Algorithm.DHASH: config.matching.dhash,
    }.get(entry.algorithm)
    return load_list(
        config.resolve(entry.file),
        name=entry.name,
        format=entry.format,
        algorithm=entry.algorithm,
        action=entry.action,
        terms=entry.terms.value(),
        max_distance=limit.max_distance if limit else 0,
        min_quality=limit.min_quality if limit else 0,
    )


def private_state(config: Config) -> None:
    """See that the state directory is ours alone, where it exists. Raises ConfigError with the remedy."""
    state = config.state
    if state.exists() and not state.is_dir():
        raise ConfigError(f"{config.path}: state_dir: {state} is not a folder; name another")
    if state.exists() and stat.S_IMODE(state.stat().st_mode) & 0o077:
        raise ConfigError(f"{config.path}: state_dir: {state} is open to others; run: chmod 700 {state}")


def fetches_media(prepared: Prepared) -> bool:
    """Media is fetched when that is permitted and there is something to compare it with."""
    return prepared.config.media_permitted and bool(prepared.lists)
