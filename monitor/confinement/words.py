"""What a kernel offers and what is in force, in words for people and tables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Available:
    """What this machine offers. `landlock` is its ABI, or None; `system` as in "Linux 6.12 x86_64"."""

    system: str
    landlock: int | None
    seccomp: bool

    @property
    def enough(self) -> bool:
        """Whether `confinement: required` can be kept: no file is written by those who see content."""
        return self.landlock is not None and self.seccomp


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: what it is about, whether it is in force, and how, or what it would take."""

    name: str
    in_force: bool
    how: str


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds for one process ("collector", "decoder", "recorder" or "process"), from now to its end."""

    process: str
    measures: tuple[Measure, ...]

    @property
    def missing(self) -> tuple[Measure, ...]:
        """The measures that are not in force."""
        return tuple(m for m in self.measures if not m.in_force)

    def __str__(self) -> str:
        """One line: what is missing, or that nothing is."""
        if not self.missing:
            return f"{self.process}: confined"
        return f"{self.process}: NOT in force: " + "; ".join(f"{m.name} ({m.how})" for m in self.missing)
