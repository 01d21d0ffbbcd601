"""Rows: one schema, one writer with whole transactions, readers apart."""

from monitor.store.filters import Filters
from monitor.store.opening import open_reader, open_store, upgraded
from monitor.store.reader import ChannelStatus, Quarantined, Reader, Row
from monitor.store.rescans import Rescanned
from monitor.store.store import SqlStore

__all__ = [
    "ChannelStatus",
    "Filters",
    "Quarantined",
    "Reader",
    "Rescanned",
    "Row",
    "SqlStore",
    "open_reader",
    "open_store",
    "upgraded",
]
