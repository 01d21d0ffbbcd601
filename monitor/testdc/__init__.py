"""A Telegram test data centre of our own, for the demo and the tests: MTProto 2.0 on loopback.

    world = World()
    alice = world.user(phone="15550001", code="22222")
    news = world.channel("news")
    news.post("hello")
    async with Cluster(world) as cluster:
        ...  # any MTProto client: cluster.host, cluster.port(1), cluster.public_key

Telethon keeps the list of data centres on the class: where several clusters live in one process, one after
another, set ``TelegramClient._config = None`` between them.
Both ends share its TL classes, so an error in the schema itself would not show here.
"""

from __future__ import annotations

from .channel import Channel
from .cluster import Cluster
from .faults import Delay, Drop, Faults, FloodWait, Rpc
from .journal import Entry
from .media import Document, Photo
from .posts import Origin, Post, User
from .world import Report, World

__all__ = [
    "Channel",
    "Cluster",
    "Delay",
    "Document",
    "Drop",
    "Entry",
    "Faults",
    "FloodWait",
    "Origin",
    "Photo",
    "Post",
    "Report",
    "Rpc",
    "User",
    "World",
]
