"""How the lists that exchanges keep stand."""

from datetime import datetime

from monitor import exchange
from monitor.config import Config, ExchangeEntry, HashListEntry
from monitor.errors import HashListError
from monitor.exchange import Standing


def waiting(config: Config) -> list[HashListEntry]:
    """The declared lists whose exchange has given nothing yet. Raises HashListError for a damaged file."""
    return [
        entry
        for entry in config.hash_lists
        if entry.exchange is not None and exchange.version(config.fetched(entry.exchange)) is None
    ]


def versions(config: Config) -> dict[str, str | None]:
    """The version of each exchange's list that is used; quick, for whoever looks again and again."""
    used = {entry.exchange for entry in config.hash_lists if entry.exchange is not None}
    return {name: exchange.version(config.fetched(name)) for name in sorted(used)}


def standing(config: Config, entry: ExchangeEntry) -> Standing | None:
    """How an exchange's list stands; None when nothing was ever kept. Raises HashListError for a damaged file."""
    return exchange.standing(config.fetched(entry.name))


def concerns(config: Config, now: datetime) -> list[str]:
    """One sentence for each exchange that is not as it should be."""
    said = []
    for entry in config.exchanges:
        try:
            found = standing(config, entry)
        except HashListError as e:
            said.append(str(e))
            continue
        where = f"exchange {entry.name}"
        if found is None or found.fetched_at is None:
            said.append(f"{where}: nothing was fetched yet, so its lists match nothing")
        elif exchange.stale(entry.kind, found.fetched_at, now):
            said.append(
                f"{where}: stale: last fetched {found.fetched_at:%Y-%m-%d}; the next fetch is a whole one"
            )
        elif now - found.fetched_at > 3 * entry.every:
            said.append(
                f"{where}: not fetched since {found.fetched_at:%Y-%m-%d %H:%M}; monitor lists update asks now"
            )
        if found is not None and found.failing_since is not None:
            said.append(
                f"{where}: {_TROUBLE[found.trouble or '']} since {found.failing_since:%Y-%m-%d %H:%M}"
            )
        if found is not None and found.unread:
            said.append(f"{where}: {found.unread:,} of its records were not understood")
        unusable = dict(found.unusable) if found is not None else {}
        if invalid := unusable.get("invalid"):
            said.append(f"{where}: {invalid:,} of its entries hold a hash that is none")
    return said


_TROUBLE = {
    "refused": "refuses our credentials",
    "unavailable": "gives no answer",
    "not_understood": "gives answers that cannot be used",
    "": "fails",
}
