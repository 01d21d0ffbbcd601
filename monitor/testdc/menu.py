"""The menu through which a message is reported, as the world has it; a script may change it under a client."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One line of the menu: what it opens, or, at an end, whether a comment may or must follow."""

    text: str
    below: tuple[Entry, ...] = ()
    comment: bool = False
    comment_optional: bool = True


MENU = (
    Entry("I don't like it"),
    Entry(
        "Child abuse",
        (Entry("Child sexual abuse", comment=True), Entry("Child physical abuse", comment=True)),
    ),
    Entry("Violence", (Entry("Insults or false information"), Entry("Graphic or disturbing content"))),
    Entry(
        "Illegal goods",
        (
            Entry("Weapons"),
            Entry("Drugs"),
            Entry("Fake documents", (Entry("Passports"), Entry("Banknotes"))),
            Entry("Other goods", comment=True),
        ),
    ),
    Entry(
        "Illegal adult content",
        (
            Entry("Non-consensual sexual imagery", comment=True),
            Entry("Illegal sexual services"),
            Entry("Other illegal sexual content", comment=True),
        ),
    ),
    Entry("Personal data", (Entry("Private images", comment=True), Entry("Phone number"))),
    Entry("Scam or spam"),
    Entry("Copyright"),
    Entry("Other", comment=True, comment_optional=False),
)


def option_bytes(path: tuple[str, ...]) -> bytes:
    """The opaque bytes that stand for a line of the menu."""
    return hashlib.blake2b("\x1f".join(path).encode(), digest_size=6).digest()


Options = dict[bytes, tuple[tuple[str, ...], Entry]]


def _options(entries: tuple[Entry, ...], path: tuple[str, ...] = ()) -> Options:
    found: Options = {}
    for entry in entries:
        here = (*path, entry.text)
        found[option_bytes(here)] = (here, entry)
        found.update(_options(entry.below, here))
    return found


class Menu:
    """The menu in force. A request that reads it sees what `change` has ordered for it."""

    def __init__(self) -> None:
        self._entries: tuple[Entry, ...] = MENU
        self._next: tuple[int, tuple[Entry, ...]] | None = None

    def change(self, entries: tuple[Entry, ...], *, after: int = 0) -> None:
        """From now on, or from the request after so many more on, the menu is this one."""
        self._next = (after, entries)

    def read(self) -> tuple[tuple[Entry, ...], Options]:
        """Its top, and every option by its bytes, as one request sees them."""
        if self._next is not None:
            left, entries = self._next
            self._next = (left - 1, entries) if left else None
            if not left:
                self._entries = entries
        return self._entries, _options(self._entries)
