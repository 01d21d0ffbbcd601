"""Counts over the whole store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over the whole store, for status and summaries.

    `messages` are all, `service` those of them that are the platform's notices; `media_fetched` are items of
    which bytes were read, `fetched_bytes` the bytes of all of them.
    """

    messages: int
    service: int
    media: int
    media_pending: int
    media_fetched: int
    fetched_bytes: int
    flags: int
    events: int
