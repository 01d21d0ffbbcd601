"""Hash lists that an exchange keeps up to date, and we with it.

`fetch` asks an exchange, in a process made for it; `in_force` and `standing` read what it kept, in any other. Only
`fetch` loads the threatexchange package, of which the clients alone are used: what it makes of their answers has
defects (withdrawn hashes stay, digests of pictures are dropped, hashes are logged).
"""

from monitor.exchange.fetching import SOURCES, Fetched, fetch, reach, stale
from monitor.exchange.kept import Row, Standing, in_force, standing, version
from monitor.exchange.records import Access

__all__ = [
    "SOURCES",
    "Access",
    "Fetched",
    "Row",
    "Standing",
    "fetch",
    "in_force",
    "reach",
    "stale",
    "standing",
    "version",
]
