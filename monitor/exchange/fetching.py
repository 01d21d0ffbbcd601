"""One fetch: ask for what has changed, page by page, go on where an interrupted one was, and make a new version."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError, HashListError, MonitorError, SourceUnavailable
from monitor.exchange.keeping import Kept, open_kept
from monitor.exchange.kept import Standing
from monitor.exchange.records import Access, Pages

SOURCES = {"ncmec": "ncmec", "stopncii": "stopncii", "threatexchange": "meta", "tat": "tat"}
"""The module that speaks to each kind of exchange."""
STALE = {"stopncii": timedelta(days=30), "threatexchange": timedelta(days=85)}
"""After this time an exchange no longer tells of all that it withdrew: only a whole fetch does."""
RESUMABLE = timedelta(days=1)
"""How long a position in the pages counts."""
TROUBLES: dict[type[MonitorError], str] = {
    ConfigError: "refused",
    SourceUnavailable: "unavailable",
    HashListError: "not_understood",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch has changed: hashes that are new and that are gone, and how the list stands now."""

    added: int
    withdrawn: int
    changed: bool
    standing: Standing


def stale(kind: str, fetched_at: datetime, now: datetime) -> bool:
    """Whether what was fetched is too old to be brought up to date by changes."""
    return kind in STALE and now - fetched_at > STALE[kind]


def reach(access: Access) -> tuple[int, ...]:
    """Load what asks this kind of exchange, and ask for its address, while the process may; it keeps to that
    exchange from now on. Returns the TCP ports that `fetch` connects to.

    Raises ConfigError when the package for it is not installed, SourceUnavailable when it has no address.
    """
    module = _module(access.kind)
    from monitor.exchange.sessions import reach as resolve

    return resolve(module.address(access))


def _module(kind: str) -> Any:
    try:
        return importlib.import_module(f"monitor.exchange.{SOURCES[kind]}")
    except ModuleNotFoundError as e:
        raise ConfigError(
            "exchanges: need the threatexchange package; install channel-monitor[exchange]"
        ) from e


def fetch(path: Path, access: Access, now: Callable[[], datetime]) -> Fetched:
    """Bring the list in this file up to date.

    Raises ConfigError when the exchange refuses the credentials, SourceUnavailable when it does not answer,
    HashListError when its answer cannot be used, InputError when another process is at it. The version before
    stays in force then, and what had come is kept for the next try.
    """
    pages: Pages = _module(access.kind).pages
    with open_kept(path, access.source) as kept:
        before = kept.standing()
        try:
            _fetch(kept, pages, access, now)
        except (ConfigError, SourceUnavailable, HashListError) as e:
            kept.failed(next(word for kind, word in TROUBLES.items() if isinstance(e, kind)), now())
            raise
        after = kept.standing()
    return Fetched(
        after.added - before.added,
        after.withdrawn - before.withdrawn,
        after.version != before.version,
        after,
    )


def _fetch(kept: Kept, pages: Pages, access: Access, now: Callable[[], datetime]) -> None:
    standing = kept.standing()
    checkpoint = standing.checkpoint
    if standing.fetched_at is not None and stale(access.kind, standing.fetched_at, now()):
        checkpoint = None
    whole = checkpoint is None
    position = kept.resume(whole, now() - RESUMABLE)
    try:
        reached = _page_through(kept, pages, access, checkpoint, position, now)
    except HashListError:
        if position is None:
            raise
        # An exchange may have forgotten where we were.
        kept.restart(whole)
        reached = _page_through(kept, pages, access, checkpoint, None, now)
    kept.apply(whole, reached, now())


def _page_through(
    kept: Kept,
    pages: Pages,
    access: Access,
    checkpoint: str | None,
    position: str | None,
    now: Callable[[], datetime],
) -> str:
    """Stage all pages; the checkpoint after the last."""
    for page in pages(access, checkpoint, position):
        kept.stage(page, now())
        if page.checkpoint is not None:
            return page.checkpoint
    raise HashListError("the exchange's pages have no end; the list stays as it is")
