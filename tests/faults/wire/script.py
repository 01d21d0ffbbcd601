"""What happens in one run: channels, posts and faults with their times, drawn from a seed before it begins."""

import random
from dataclasses import dataclass

WORLD = {
    "post": 16,
    "post_media": 10,
    "album": 4,
    "edit": 10,
    "edit_media": 3,
    "edit_twice": 2,
    "react": 4,
    "delete": 6,
    "delete_newest": 4,
    "blink": 3,
    "service": 2,
    "rename": 1,
    "forward": 5,
    "burst": 1,
    "elsewhere": 2,
}
"""What people do in channels, and how often."""
FAULTS = (
    "stream",
    "cut",
    "cut_in_mid_frame",
    "black_hole",
    "slow",
    "too_long_account",
    "too_long_channel",
    "away",
    "flood",
    "server_errors",
    "no_answers",
    "migrate",
    "references",
    "lost_key",
    "clock_step",
    "salts",
    "slow_disk",
)
"""What goes wrong. The first one of a run goes round with the seed, so that none is left out."""
NEAR = 90.0
"""Seconds after a fault's beginning in which more happens than at other times."""


@dataclass(frozen=True, slots=True)
class Step:
    """At so many seconds from the beginning something happens; its own choices are drawn from `draw`."""

    at: float
    name: str
    draw: int


@dataclass(frozen=True, slots=True)
class Place:
    """A channel that is watched: its name, what it is, and how many posts it has at the beginning."""

    username: str
    group: bool
    history: int


@dataclass(frozen=True, slots=True)
class Script:
    """One run."""

    seed: int
    places: tuple[Place, ...]
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        """From the beginning to the last step's."""
        return self.steps[-1].at


def script(seed: int, *, hours: float = 1.0, busy: int = 60, faults: int = 3) -> Script:
    """The run of a seed: about `busy` things that people do in `hours`, and `faults` things that go wrong."""
    chance = random.Random(seed)
    places = tuple(
        Place(f"place_{n}", n == 1, chance.choice((0, 3, 40, 130))) for n in range(chance.randint(2, 4))
    )
    # A quiet run and a storm find different things: faults one by one, and several at the same time.
    end = hours * 3600 * chance.choice((0.1, 1.0))
    kinds = [FAULTS[seed % len(FAULTS)], *chance.choices(FAULTS, k=faults - 1)]
    begins = [chance.uniform(0, end) for _ in kinds]
    steps = [_step(chance, at, kind) for at, kind in zip(begins, kinds, strict=True)]
    if "stream" not in kinds and chance.random() < 0.6:
        steps.append(_step(chance, 0.0, "stream"))
    for number, at in enumerate(begins):
        # The first fault meets a restart in every second round of the seeds.
        if (seed // len(FAULTS)) % 2 == 1 if number == 0 else chance.random() < 0.3:
            steps.append(_step(chance, at + chance.uniform(0, NEAR), "restart"))
    names, weights = list(WORLD), list(WORLD.values())
    for name in chance.choices(names, weights, k=busy):
        near = chance.random() < 0.4
        at = chance.choice(begins) + chance.uniform(0, NEAR) if near else chance.uniform(0, end)
        steps.append(_step(chance, at, name))
    return Script(seed, places, tuple(sorted(steps, key=lambda step: step.at)))


def _step(chance: random.Random, at: float, name: str) -> Step:
    return Step(round(at, 2), name, chance.getrandbits(32))
