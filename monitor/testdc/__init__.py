"""A Telegram test data centre of our own, for the demo and the tests: MTProto 2.0 on loopback.

    world = World()
    alice = world.user(phone="15550001", code="22222")
    news = world.channel("news")
    news.post("hello")
    async with Cluster(world) as cluster:
        ...  # any MTProto client: cluster.host, cluster.port(1), cluster.public_key

What goes wrong is ordered with ``cluster.faults.add`` (requests) and ``.disturb`` (updates), or done at once:
``cluster.cut``, ``black_hole``, ``slow``, ``too_long``, ``revoke``, ``forget_keys``, ``recall_keys``,
``rotate_salts``. What was asked stands in ``cluster.journal``, with times.

Telethon keeps the list of data centres on the class: where several clusters live in one process, one after
another, set ``TelegramClient._config = None`` between them.
Both ends share its TL classes, so an error in the schema itself would not show here.
"""

from __future__ import annotations

from monitor.testdc.channel import Channel
from monitor.testdc.cluster import Cluster
from monitor.testdc.faults import (
    Answer,
    Break,
    Delay,
    Double,
    Drop,
    Faults,
    FloodWait,
    Late,
    Lose,
    Rpc,
    TooLong,
)
from monitor.testdc.journal import Entry
from monitor.testdc.media import Document, Photo
from monitor.testdc.posts import Origin, Post, User
from monitor.testdc.world import Report, World

__all__ = [
    "Answer",
    "Break",
    "Channel",
    "Cluster",
    "Delay",
    "Document",
    "Double",
    "Drop",
    "Entry",
    "Faults",
    "FloodWait",
    "Late",
    "Lose",
    "Origin",
    "Photo",
    "Post",
    "Report",
    "Rpc",
    "TooLong",
    "User",
    "World",
]
