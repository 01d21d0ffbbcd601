"""One run from its beginning to its end: play the script, let the faults end, and compare."""

import asyncio
import logging
import random
import tempfile
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from monitor.testdc import Channel, Cluster, World
from tests.faults.wire import virtual
from tests.faults.wire.machine import Machine, served, signed_in
from tests.faults.wire.manners import too_early, unasked
from tests.faults.wire.people import People, lists
from tests.faults.wire.script import FAULTS, Script
from tests.faults.wire.trouble import Noted, Trouble
from tests.faults.wire.truth import differences
from tests.faults.wire.virtual import Clock

CALM = 2 * 330.0 + 300.0
"""Seconds after the last fault and flood wait in which everything must be in order: two looks at the dialogs, and
the longest pause between two connections."""
MEMORY = Path("/dev/shm")  # noqa: S108 — a folder of our own in it
"""Where a disk's delays do not count; power cuts are another test's."""
LOOK = 60.0
"""Seconds between two looks at whether it is."""

Act = Callable[[random.Random], Awaitable[None] | None]


@dataclass
class Outcome:
    """What a run left behind. `wrong` is empty when all is well."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    posts: int = 0
    requests: int = 0
    failures: int = 0
    calm_after: float = 0.0
    """Seconds from the faults' end until the rows were as the server's."""

    def __str__(self) -> str:
        return "\n".join((f"seed {self.seed}:", *self.wrong, "what happened:", *self.told))


def play(script: Script) -> Outcome:
    """Play one script in virtual time."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return virtual.run(lambda clock: _Run(script, Path(folder), clock).play())


class _Run(logging.Handler):
    def __init__(self, script: Script, folder: Path, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._script = script
        self._folder = folder
        self._clock = clock
        self._outcome = Outcome(script.seed)

    async def play(self) -> Outcome:
        """From the beginning to the comparison."""
        try:
            await self._play()
        except Exception as e:
            # A daemon that dies of something unknown is a difference like any other.
            self._outcome.wrong.append("".join(traceback.format_exception(e)))
        return self._outcome

    async def _play(self) -> None:
        world = World(clock=self._clock.true, seed=self._script.seed)
        user = world.user(phone="15550001", code="22222")
        people = self._people(world)
        people.other.join(user)
        cluster = Cluster(world, seed=self._script.seed, clock=self._clock.true)
        faults = cluster.faults = Noted(self._script.seed, self._clock.true)
        async with cluster:
            machine = self._machine(cluster, people.channels)
            await machine.sign_in(signed_in(cluster, user))
            trouble = Trouble(cluster, faults, machine, self._clock, user, people.channels, self._say)
            logging.getLogger("monitor").addHandler(self)
            try:
                machine.start()
                async with asyncio.TaskGroup() as tasks:
                    for step in self._script.steps:
                        acting = trouble if step.name in (*FAULTS, "restart") else people
                        chance = random.Random(step.draw)
                        tasks.create_task(self._step(step.at, getattr(acting, step.name), chance))
                trouble.end()
                await self._calm(machine, people, faults)
            finally:
                await machine.stop()
                logging.getLogger("monitor").removeHandler(self)
        self._judge(cluster, people, trouble, machine)

    def _people(self, world: World) -> People:
        places = self._script.places
        channels = [
            world.channel(place.username, kind="group" if place.group else "broadcast", participants=100)
            for place in places
        ]
        people = People(world, channels, world.channel("elsewhere"), self._say)
        people.members = [world.user(first_name=f"Member {n}") for n in range(3)]
        for place, channel in zip(places, channels, strict=True):
            people.history(channel, place.history, random.Random(f"{self._script.seed} {place.username}"))
        return people

    def _machine(self, cluster: Cluster, channels: list[Channel]) -> Machine:
        declared = [
            {"username": channel.username, "includes": ["broadcast" if channel.broadcast else "group"]}
            for channel in channels
        ]
        return Machine(self._folder, self._clock.utc, served(cluster), declared, lists())

    async def _step(self, at: float, act: Act, chance: random.Random) -> None:
        await asyncio.sleep(at - self._clock.passed())
        if (going_on := act(chance)) is not None:
            await going_on

    async def _calm(self, machine: Machine, people: People, faults: Noted) -> None:
        """Wait until all is as it should be, and see that it stays so."""
        pauses = [flood.until - self._clock.true() for flood in faults.floods]
        began, patience = self._clock.passed(), max(0.0, *pauses, 0.0) + CALM
        while True:
            await asyncio.sleep(LOOK)
            machine.check()
            self._outcome.wrong = await differences(machine.database, people)
            self._outcome.calm_after = self._clock.passed() - began
            if not self._outcome.wrong or self._outcome.calm_after > patience:
                break
        await asyncio.sleep(2 * LOOK)
        self._outcome.wrong = await differences(machine.database, people)

    def _judge(self, cluster: Cluster, people: People, trouble: Trouble, machine: Machine) -> None:
        journal, outcome = cluster.journal, self._outcome
        outcome.wrong += too_early(journal, trouble.faults.floods, trouble.lossy)
        outcome.wrong += unasked(journal, people.channels, [people.other])
        outcome.posts = sum(channel.pts for channel in people.channels)
        outcome.requests, outcome.failures = len(journal), len(machine.failures)

    # -- what is told

    def _say(self, line: str) -> None:
        self._outcome.told.append(f"  {self._clock.passed():9.2f}  {line}")

    def emit(self, record: logging.LogRecord) -> None:
        self._say(
            f"    | {record.getMessage()} {getattr(record, 'channel', '')} {getattr(record, 'seconds', '')}"
        )
