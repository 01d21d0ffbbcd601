"""A rescan from request to result: with a daemon at work it waits for it, else it is the daemon for so long.

Media waits in the store, so whoever is interrupted loses nothing: the next run takes up what is left.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor import daemon, reloading
from monitor.clock import now
from monitor.config import Config
from monitor.errors import FatalError
from monitor.pair import any_of
from monitor.state import running
from monitor.store import Rescanned, open_reader, open_store, rescans

LOOK = 0.5
"""Seconds between two looks at how far it has come."""
SHARE = 10
"""A look that takes long itself is taken so many times as seldom."""

Show = Callable[[Rescanned], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched again: media posted in a window (both ends included), for a list or for all of them,
    in a channel or in all of them; and who wants it."""

    operator: str
    since: datetime
    until: datetime | None = None
    hash_list: str | None = None
    username: str | None = None


async def rescan(config: Config, wanted: Wanted, stop: asyncio.Event, show: Show) -> Rescanned | None:
    """Have it done, and tell `show` how far it has come. When `stop` is set first, something is left; None when it
    was set before anything was requested.

    Raises what `rescans.request` does, FatalError when a daemon ends meanwhile, and as `daemon.run` does.
    """
    if reloading.noticed(config.state) is not None and running(config.state):
        number = await _request(config, wanted)
        return await _follow(config, number, stop, show, lambda: not running(config.state))
    ending, working, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    own = asyncio.create_task(daemon.run(config, ending, working=working, bars=False), name="daemon")
    own.add_done_callback(lambda _: ended.set())
    try:
        # Before that the lists are not on record in the version that is to be compared with.
        await any_of(working, ended, stop)
        if ended.is_set() or stop.is_set():
            return None
        return await _follow(config, await _request(config, wanted), stop, show, ended.is_set)
    finally:
        ending.set()
        await asyncio.wait({own})
        own.result()  # why it ended says more than that it did


async def _request(config: Config, wanted: Wanted) -> int:
    async with open_store(config.database) as store:
        return await store.run(
            rescans.request,
            operator=wanted.operator,
            since=wanted.since,
            until=wanted.until,
            hash_list=wanted.hash_list,
            username=wanted.username,
            at=now(),
        )


async def _follow(
    config: Config, number: int, stop: asyncio.Event, show: Show, ended: Callable[[], bool]
) -> Rescanned:
    """Look until nothing is left."""
    clock = asyncio.get_running_loop().time
    async with open_reader(config.database) as reader:
        while True:
            over, before = ended(), clock()
            state = await reader.rescanned(number)
            show(state)
            if not state.left or stop.is_set():
                return state
            if over:
                raise FatalError(
                    f"the daemon has ended; {state.left:,} of {state.items:,} items wait for the next run"
                )
            await any_of(stop, seconds=max(LOOK, SHARE * (clock() - before)))
