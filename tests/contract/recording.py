"""A process that records until it is killed, and says after each call what is durable.

Batch n holds messages 10n+1 … 10n+10 of one channel, each with media, and covers that ground; every third
call settles one of them as a match, so that rows, media, flags, events and cursor have to agree.
"""

import asyncio
import sys
from pathlib import Path

from tests.contract.conftest import FACTORIES
from tests.contract.making import CHANNEL, batch, matched, message, picture, span

SIZE = 10


async def main(name: str, folder: Path) -> None:
    factory = next(factory for factory in FACTORIES if factory.__name__ == name)
    async with factory(folder) as opened:
        first = await opened.store.cursor(CHANNEL)
        print("ready", first, flush=True)
        while True:
            numbers = range(first + 1, first + SIZE + 1)
            rows = [message(number, media=picture(number)) for number in numbers]
            await opened.store.record([batch(*rows, span=span(first, first + SIZE))])
            print("rows", first + SIZE, flush=True)
            if first % 3 == 0:
                await opened.store.examined(matched(first + 1))
                print("flag", first + 1, flush=True)
            first += SIZE


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
