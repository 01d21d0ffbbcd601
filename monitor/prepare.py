"""Open what a configuration names: secrets, keys, lists. All of it before a run, and nothing is written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import exchange_lists, fetched_lists
from monitor.clock import now
from monitor.config import Config, Films, HashListEntry, Perceptual
from monitor.errors import ConfigError
from monitor.matching import FilmRule, Sampling
from monitor.matching.lists import HashList, load_lists
from monitor.model import Algorithm
from monitor.secrets import read_private, sealing_key
from monitor.state import private_state
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.pseudonyms import KEY_BYTES, Pseudonyms

if TYPE_CHECKING:
    from monitor.reporting.notices import MailServer


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
        lists(config),
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


def lists(config: Config) -> tuple[HashList, ...]:
    """The declared hash lists, but those whose exchange has given nothing yet. Raises HashListError."""
    waiting = exchange_lists.waiting(config)
    return tuple(
        hashes for entry in config.hash_lists if entry not in waiting for hashes in read_list(config, entry)
    )


def read_list(config: Config, entry: HashListEntry) -> tuple[HashList, ...]:
    """One declared hash list: as many as its file has algorithms. None when its terms have expired, by now.

    Raises HashListError, and ConfigError when its key cannot be read.
    """
    if entry.expired(now()):
        return ()
    perceptual: dict[Algorithm, Perceptual | Films] = {
        Algorithm.PDQ: config.matching.pdq,
        Algorithm.PHASH: config.matching.phash,
        Algorithm.DHASH: config.matching.dhash,
        Algorithm.VPDQ: config.matching.vpdq,
    }
    limits = {
        algorithm: (
            limit.max_distance if entry.max_distance is None else entry.max_distance,
            limit.min_quality if entry.min_quality is None else entry.min_quality,
        )
        for algorithm, limit in perceptual.items()
    }
    if entry.exchange is not None:
        return fetched_lists.load(config.fetched(entry.exchange), entry, limits)
    return load_lists(
        config.resolve(entry.file or Path()),
        name=entry.name,
        format=entry.format,
        action=entry.action,
        terms=entry.terms.value(),
        algorithm=entry.algorithm,
        limits=limits,
        categories=entry.labels,
        provenance=entry.provenance,
        expires=entry.expires,
        stale_after=entry.stale_after,
        manifest=config.resolve(entry.manifest) if entry.manifest else None,
        key=list_key(config, entry),
        at=now(),
    )


def list_key(config: Config, entry: HashListEntry) -> bytes | None:
    """The key of an encrypted list (32 bytes), read now; None for a plain one. Raises ConfigError."""
    if entry.key is None:
        return None
    where = f"{config.path}: list {entry.name}: key"
    return sealing_key(entry.key, config.path.parent, config.state, where)


def sampling(config: Config) -> Sampling:
    """How films are looked at."""
    video = config.media.video
    return Sampling(
        video.frames_per_second,
        video.keyframes_only,
        video.max_seconds,
        video.max_frames,
        video.max_pixels,
        video.max_cpu_seconds,
    )


def film_rule(config: Config) -> FilmRule:
    """When a film matches."""
    rule = config.matching.vpdq
    return FilmRule(rule.min_query_share, rule.min_list_share, rule.picture_frames)


def mail_server(config: Config) -> "MailServer":
    """The server that takes approved notices.

    Raises ConfigError when none is declared, or its secret cannot be read.
    """
    # Not at the top: what collects and records has no use for it.
    from monitor.reporting.notices import MailServer

    smtp = config.smtp
    if smtp is None:
        raise ConfigError(
            f"{config.path}: smtp: is not declared; without it notices are handed over by people"
        )
    password = (
        smtp.password.read(config.path.parent, f"{config.path}: smtp.password") if smtp.password else None
    )
    return MailServer(
        smtp.host,
        smtp.port,
        smtp.security,
        smtp.username,
        password,
        smtp.sender,
        config.resolve(smtp.ca_file) if smtp.ca_file else None,
        smtp.timeout.total_seconds(),
    )


def fetches_media(prepared: Prepared) -> bool:
    """Media is fetched when that is permitted and there is something to compare it with."""
    return prepared.config.media_permitted and bool(prepared.lists)
