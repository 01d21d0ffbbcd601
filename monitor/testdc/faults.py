"""Faults on request: what goes wrong, for which request, how often."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from monitor.testdc.posts import User


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
    """The connection breaks before the request is carried out, or after that and before the answer."""

    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The request is not carried out; it is answered with this TL object."""

    tl: Any


Fault = Rpc | Delay | Drop | Answer


@dataclass(eq=False)
class _Order:
    name: str
    fault: Fault
    left: int | None
    fraction: float
    account: User | None
    skip: int


class Faults:
    """The faults that are in force. The first order that fits a request is used; the next waits its turn."""

    def __init__(self, seed: int = 7) -> None:
        self._orders: list[_Order] = []
        self._random = random.Random(seed)  # noqa: S311 — repeatable on purpose

    def add(
        self,
        name: str,
        fault: Fault,
        *,
        count: int | None = 1,
        fraction: float = 1.0,
        account: User | None = None,
        after: int = 0,
    ) -> None:
        """Orders a fault for requests of that name (such as ``messages.getHistory``; ``*`` is any).

        `count` is how many times it strikes, None for ever; `fraction` is the share of requests that it hits,
        drawn with the seed; `account` limits it to one user; `after` lets so many pass first.
        """
        self._orders.append(_Order(name, fault, count, fraction, account, after))

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self._orders.clear()

    def take(self, name: str, account: User | None) -> Fault | None:
        """The fault that strikes this request, if one does; it is used up by that."""
        for order in self._orders:
            if order.name not in (name, "*") or (order.account and order.account is not account):
                continue
            if order.skip:
                order.skip -= 1
                continue
            if order.fraction < 1 and self._random.random() >= order.fraction:
                continue
            if order.left is not None:
                order.left -= 1
                if order.left <= 0:
                    self._orders.remove(order)
            return order.fault
        return None
