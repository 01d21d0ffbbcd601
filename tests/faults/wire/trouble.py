"""What goes wrong in a run: on the wire, at the server, on the machine."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.testdc import (
    Break,
    Channel,
    Cluster,
    Delay,
    Double,
    Drop,
    Faults,
    FloodWait,
    Late,
    Lose,
    Rpc,
    TooLong,
    User,
)
from monitor.testdc.faults import Fault
from tests.faults.wire.machine import Machine
from tests.faults.wire.virtual import Clock

REQUESTS = (
    "*",
    "channels.getChannels",
    "channels.getFullChannel",
    "channels.getMessages",
    "channels.joinChannel",
    "contacts.resolveUsername",
    "messages.getDialogs",
    "messages.getHistory",
    "updates.getChannelDifference",
    "updates.getState",
    "upload.getFile",
    "users.getUsers",
)
"""What may be answered with a flood wait; the star stands for whatever comes next."""
PAUSES = (2, 20, 55, 90, 400, 1500)
"""Seconds of flood waits: waited out in place, planned for, and longer than anybody waits."""
STEPS = (3600.0, -3600.0, 10 * 365 * 86_400.0, -10 * 365 * 86_400.0)
"""Seconds by which the machine's clock is set wrong."""
FARTHEST = 10 * 365 * 86_400.0 + 3600.0
"""Seconds by which it is wrong at most: the protocol cannot number a message beyond January 2038."""
YEAR = 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class Flood:
    """The server has told an account to leave one kind of request alone from `at` until `until`."""

    at: float
    until: float
    name: str
    account: User | None


class Noted(Faults):
    """Faults that remember which flood waits were given."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        super().__init__(seed)
        self._now = now
        self.floods: list[Flood] = []

    def take(self, name: str, account: User | None, dc: int = 1) -> Fault | None:
        fault = super().take(name, account, dc)
        if isinstance(fault, Rpc) and fault.code == 420:
            now, seconds = self._now(), int(fault.message.rsplit("_", 1)[1])
            self.floods.append(Flood(now, now + seconds, name, account))
        return fault


@dataclass
class Trouble:
    """Each method is one thing that goes wrong and, where it lasts, its end."""

    cluster: Cluster
    faults: Noted
    machine: Machine
    clock: Clock
    account: User
    channels: list[Channel]
    say: Callable[[str], None]
    lossy: list[tuple[float, float]] = field(default_factory=list)
    """Spans of the server's time in which answers may not have reached the client."""

    def _now(self) -> float:
        return self.cluster.world.now()

    def _unheard(self, seconds: float = 0.0) -> None:
        self.lossy.append((self._now() - 1, self._now() + seconds + 1))

    # -- updates

    async def stream(self, chance: random.Random) -> None:
        """For the rest of the run."""
        self.faults.disturb(Lose(), fraction=0.2, account=self.account)
        self.faults.disturb(Double(), fraction=0.05, account=self.account)
        self.faults.disturb(Late(5), fraction=0.3, account=self.account)
        self.say("updates are lost, doubled and late from now on")

    async def too_long_account(self, chance: random.Random) -> None:
        self.faults.disturb(TooLong(whole=True), count=chance.randint(1, 3), account=self.account)
        self.say("the next updates are too long for the account")

    async def too_long_channel(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        self.faults.disturb(TooLong(), count=chance.randint(1, 3), account=self.account, channel=channel)
        limit = chance.choice((None, 5, 40))
        self.cluster.world.channel_difference_limit = limit
        self.say(f"the next updates are too long for {channel.username}, differences above {limit}")

    # -- connections

    async def cut(self, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3)):
            self._unheard()
            self.say(f"{self.cluster.cut()} connections cut")
            await asyncio.sleep(chance.uniform(0, 20))

    async def cut_in_mid_frame(self, chance: random.Random) -> None:
        self._unheard(3600)
        if chance.random() < 0.5:
            self.faults.disturb(Break(), count=1, account=self.account)
            self.say("the next update breaks off")
        else:
            when = chance.choice(("before", "after", "middle"))
            self.faults.add("*", Drop(when), count=chance.randint(1, 3), after=chance.randint(0, 5))
            self.say(f"answers break off: {when}")

    async def black_hole(self, chance: random.Random) -> None:
        seconds = chance.uniform(20, 900)
        self._unheard(seconds)
        self.say(f"black hole for {seconds:.0f} s")
        self.cluster.black_hole(seconds)
        await asyncio.sleep(seconds)

    async def slow(self, chance: random.Random) -> None:
        rate, seconds = chance.choice((300, 3000, 30_000)), chance.uniform(30, 600)
        self._unheard(seconds)
        self.say(f"{rate} bytes a second for {seconds:.0f} s")
        self.cluster.slow(rate)
        await asyncio.sleep(seconds)
        self.cluster.slow(None)
        self.say("fast again")

    async def away(self, chance: random.Random) -> None:
        """The daemon does not run while more is posted than a difference may hold."""
        self.cluster.world.channel_difference_limit = chance.choice((None, 5, 40))
        await self.restart(chance)
        channel = chance.choice(self.channels)
        for _ in range(chance.choice((30, 130))):
            channel.post("while away")
        for _ in range(3):
            alive = channel.alive[1:]
            if alive:
                channel.delete(chance.choice(alive))
        self.say(f"{channel.username}: up to {channel.top} while away")

    # -- answers

    async def flood(self, chance: random.Random) -> None:
        for name in chance.sample(REQUESTS, 3):
            seconds = chance.choice(PAUSES)
            self.faults.add(name, FloodWait(seconds), count=1)
            self.say(f"flood wait of {seconds} s for the next {name}")

    async def server_errors(self, chance: random.Random) -> None:
        error = chance.choice((Rpc(500, "INTERNAL"), Rpc(-503, "Timeout"), Rpc(500, "RPC_CALL_FAIL")))
        times = chance.randint(1, 12)
        self.faults.add(chance.choice(REQUESTS), error, count=times, fraction=chance.choice((0.3, 1.0)))
        self.say(f"{times} times {error.code} {error.message}")

    async def no_answers(self, chance: random.Random) -> None:
        name, seconds = chance.choice(REQUESTS), chance.choice((3, 30, 90))
        self._unheard(3600)
        self.faults.add(name, Delay(seconds), count=chance.randint(1, 10), fraction=0.5)
        self.say(f"answers to {name} take {seconds} s")

    async def migrate(self, chance: random.Random) -> None:
        for dc, to in ((1, 2), (2, 1)):
            self.faults.add("upload.getFile", Rpc(303, f"FILE_MIGRATE_{to}"), count=1, dc=dc)
        self.say("the next files have moved to another data centre")

    async def references(self, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3)):
            self.cluster.world.references.expire_all()
            self.say("all file references have expired")
            await asyncio.sleep(chance.uniform(1, 60))

    async def salts(self, chance: random.Random) -> None:
        self.cluster.rotate_salts()
        self.say("new salts")

    async def lost_key(self, chance: random.Random) -> None:
        seconds = chance.uniform(1, 600)
        self._unheard(seconds)
        self.cluster.forget_keys(self.account)
        if chance.random() < 0.5:
            self.cluster.cut()
        self.say(f"keys are lost for {seconds:.0f} s")
        await asyncio.sleep(seconds)
        self.cluster.recall_keys(self.account)
        self.say("keys are found again")

    # -- the machine

    async def clock_step(self, chance: random.Random) -> None:
        self.clock.step += chance.choice([s for s in STEPS if abs(self.clock.step + s) <= FARTHEST])
        self.say(f"the clock is {self.clock.step / 3600:+.0f} h wrong")
        if chance.random() < 0.5:
            await asyncio.sleep(chance.uniform(1, 1200))
            self.clock.step = 0.0
            self.say("the clock is right again")

    async def slow_disk(self, chance: random.Random) -> None:
        """What is read and what comes live meet in the queue before the store."""
        most, seconds = chance.choice((0.05, 1.0, 10.0)), chance.uniform(30, 600)
        self.say(f"the disk takes up to {most} s for everything, for {seconds:.0f} s")
        self.machine.disk_takes = lambda: chance.uniform(0, most)
        await asyncio.sleep(seconds)
        self.machine.disk_takes = lambda: 0.0

    async def restart(self, chance: random.Random) -> None:
        hard, after = chance.random() < 0.5, chance.choice((0.0, 1.0, 30.0, 400.0))
        self._unheard()
        self.say(f"the daemon is {'killed' if hard else 'stopped'}, and back in {after:.0f} s")
        await self.machine.restart(hard=hard, after=after)

    def end(self) -> None:
        """Nothing goes wrong any more, but the clock stays as it is."""
        self.faults.clear()
        self.machine.disk_takes = lambda: 0.0
        self.cluster.slow(None)
        self.cluster.recall_keys(self.account)
        self.cluster.world.channel_difference_limit = None
        self.say("all faults end")
