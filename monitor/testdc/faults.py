"""Faults on request: what goes wrong with which request, or on the way of which update, how often."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from monitor.testdc.posts import User

if TYPE_CHECKING:
    from monitor.testdc.channel import Channel


F = TypeVar("F", "Fault", "Disturbance")


@dataclass(frozen=True, slots=True)
class Rpc:
    """The request is not carried out; it is answered with this error."""

    code: int
    message: str


def FloodWait(seconds: int) -> Rpc:
    """The request is answered with FLOOD_WAIT of so many seconds."""
    return Rpc(420, f"FLOOD_WAIT_{seconds}")


@dataclass(frozen=True, slots=True)
class Delay:
    """The request is acknowledged at once and carried out so many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection breaks before the request is carried out, or after that: before the answer, or in the
    middle of it."""

    when: Literal["before", "after", "middle"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The request is not carried out; it is answered with this TL object."""

    tl: Any


Fault = Rpc | Delay | Drop | Answer


@dataclass(frozen=True, slots=True)
class Lose:
    """The update is sent to nobody."""


@dataclass(frozen=True, slots=True)
class Double:
    """The update is sent twice."""


@dataclass(frozen=True, slots=True)
class Late:
    """The update is sent up to so many seconds late, so that others overtake it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TooLong:
    """Instead of the update the client is told to look for itself: updateChannelTooLong where the update is
    of a channel's posts, updatesTooLong for the rest, or with `whole` for all."""

    whole: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """Half of the update's packet is sent, then the connection breaks."""


Disturbance = Lose | Double | Late | TooLong | Break


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of one update to one session: after how many seconds each copy is sent (none: it is lost),
    and in what form."""

    delays: tuple[float, ...] = (0.0,)
    too_long: TooLong | None = None
    broken: bool = False


@dataclass(eq=False)
class _Order(Generic[F]):
    fault: F
    left: int | None
    fraction: float
    account: User | None
    skip: int
    name: str = "*"
    dc: int | None = None
    channel: Channel | None = None


class Faults:
    """The faults that are in force. Of requests, the first order that fits is used and the next waits its
    turn; of updates, every order that fits strikes. `struck` counts them by the fault's name."""

    def __init__(self, seed: int = 7) -> None:
        self._orders: list[_Order[Fault]] = []
        self._disturbances: list[_Order[Disturbance]] = []
        self._random = random.Random(seed)  # noqa: S311 — repeatable on purpose
        self._stream_random = random.Random(f"{seed}:updates")  # noqa: S311 — as above
        self.struck: Counter[str] = Counter()

    def add(
        self,
        name: str,
        fault: Fault,
        *,
        count: int | None = 1,
        fraction: float = 1.0,
        account: User | None = None,
        dc: int | None = None,
        after: int = 0,
    ) -> None:
        """Orders a fault for requests of that name (such as ``messages.getHistory``; ``*`` is any).

        `count` is how many times it strikes, None for ever; `fraction` is the share of requests that it hits,
        drawn with the seed; `account` and `dc` limit it to one user and one data centre; `after` lets so many
        pass first.
        """
        self._orders.append(_Order(fault, count, fraction, account, after, name, dc))

    def disturb(
        self,
        fault: Disturbance,
        *,
        count: int | None = None,
        fraction: float = 1.0,
        account: User | None = None,
        channel: Channel | None = None,
        after: int = 0,
    ) -> None:
        """Orders a fault for updates on their way to a session, as `add` does for requests: for ever unless
        `count` says otherwise. Several orders strike the same update: lost beats all, each copy of a doubled one
        is late by itself."""
        self._disturbances.append(_Order(fault, count, fraction, account, after, channel=channel))

    def clear(self) -> None:
        """From now on nothing goes wrong. What is late already still comes."""
        self._orders.clear()
        self._disturbances.clear()

    def take(self, name: str, account: User | None, dc: int = 1) -> Fault | None:
        """The fault that strikes this request, if one does; it is used up by that."""
        for order in self._orders:
            if order.name not in (name, "*") or order.dc not in (None, dc):
                continue
            if (order.account is None or order.account is account) and self._strikes(
                order, self._orders, self._random
            ):
                return order.fault
        return None

    def deliver(self, account: User, channel: Channel | None) -> Delivery:
        """What becomes of one update of a channel (None: of the account itself) to one session."""
        chance = self._stream_random
        struck: list[Disturbance] = [
            order.fault
            for order in list(self._disturbances)
            if (order.account is None or order.account is account)
            and (order.channel is None or order.channel is channel)
            and self._strikes(order, self._disturbances, chance)
        ]
        if not struck:
            return Delivery()
        if Lose() in struck:
            return Delivery(())
        late = [fault.seconds for fault in struck if isinstance(fault, Late)]
        return Delivery(
            tuple(
                sum(chance.uniform(0, seconds) for seconds in late) for _ in range(1 + struck.count(Double()))
            ),
            next((fault for fault in struck if isinstance(fault, TooLong)), None),
            Break() in struck,
        )

    def _strikes(self, order: _Order[F], orders: list[_Order[F]], chance: random.Random) -> bool:
        if order.skip:
            order.skip -= 1
            return False
        if order.fraction < 1 and chance.random() >= order.fraction:
            return False
        if order.left is not None:
            order.left -= 1
            if order.left <= 0:
                orders.remove(order)
        self.struck[type(order.fault).__name__] += 1
        return True
