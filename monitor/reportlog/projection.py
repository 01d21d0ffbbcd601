"""The log is the projection of a store's events: sequence number = leaf index."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from monitor.errors import VerificationError
from monitor.reportlog.leaf import Leaf
from monitor.reportlog.log import extend
from monitor.reportlog.note import Checkpoint, Signer
from monitor.reportlog.published import known_checkpoint

BATCH = 65_536
"""Leaves under one checkpoint; bounds what is in memory."""

Rows = Callable[[int], AsyncGenerator[Mapping[Any, Any], None]]
"""Events from a sequence number on, in order: seq, at, type and commitment of each."""


async def project(rows: Rows, folder: Path, signer: Signer) -> Checkpoint | None:
    """Bring the log up to the events; returns its checkpoint, None while there are no events.

    What another process adds at the same time counts. Raises as `monitor.reportlog.log.extend` does.
    """
    checkpoint = known_checkpoint(folder)
    # From the last leaf on: a store that was put back to an older state would number other events the same.
    first = max(0, checkpoint.size - 1) if checkpoint else 0
    leaves: list[Leaf] = []
    async with aclosing(rows(first)) as stream:
        async for row in stream:
            if row["seq"] != first + len(leaves):
                raise VerificationError(f"event {first + len(leaves)} is missing in the store")
            leaves.append(Leaf(row["type"], row["at"], row["commitment"]))
            if len(leaves) == BATCH:
                checkpoint = await asyncio.to_thread(extend, folder, signer, first, leaves)
                first, leaves = first + BATCH, []
    if leaves or checkpoint is not None:
        return await asyncio.to_thread(extend, folder, signer, first, leaves)
    return None
