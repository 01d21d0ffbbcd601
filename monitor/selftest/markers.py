"""Words and numbers that occur nowhere else, one for each kind of content, so that a find names its kind.

Every word of a run begins with the same stem, drawn anew each time: one search finds them all, and what
follows the stem tells the kind. The second stem is of another script, as that is escaped in other ways.
"""

import random
from collections.abc import Iterator

STEM_LETTERS = 10
STEM_SYLLABLES = 5
NEEDLE_LETTERS = 8
"""How much of a stem is enough to be found: a random byte string holds it once in 2^64."""
CODE = "bcdfghjklmnpqrstvwxz"
PHONE_DIGITS = 12
CUT = "a marker cut short"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")

Needle = tuple[bytes, str, int]
"""The bytes to look for, the encoding, and where in the stem they end (characters)."""


class Markers:
    """The markers of one run. `seed` decides them all; kinds are numbered as they are first asked for."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 — repeatable on purpose
        self._stems = (
            "".join(chance.choices(CODE, k=STEM_LETTERS)),
            "".join(chr(chance.randrange(0xAC00, 0xD7A4)) for _ in range(STEM_SYLLABLES)),
        )
        self._chance = chance
        self._kinds: dict[str, str] = {}
        self._of_media: set[str] = set()
        self._phones: dict[str, str] = {}

    @property
    def kinds(self) -> list[str]:
        """All kinds that were planted."""
        return [*self._kinds, *self._phones]

    @property
    def in_media(self) -> frozenset[str]:
        """Kinds that were planted inside media bytes alone."""
        return frozenset(self._of_media)

    def word(self, kind: str, *, media: bool = False) -> str:
        """A marker of lower-case ASCII letters, such as a name would take."""
        if kind not in self._kinds:
            number = len(self._kinds)
            self._kinds[kind] = "".join(CODE[number // 20**place % 20] for place in range(2))
            if media:
                self._of_media.add(kind)
        return self._stems[0] + self._kinds[kind]

    def words(self, kind: str, *, media: bool = False) -> str:
        """A sentence of markers: two scripts, quotes and a line break, as texts have them."""
        word = self.word(kind, media=media)
        code = self._kinds[kind]
        return f"{word} don't “{self._stems[1]}{code}”\n{word}"

    def phone(self, kind: str) -> str:
        """A phone number, digits alone."""
        if kind not in self._phones:
            self._phones[kind] = "99" + "".join(self._chance.choices("123456789", k=PHONE_DIGITS - 2))
        return self._phones[kind]

    def needles(self) -> Iterator[Needle]:
        """What any word of the run contains, in each encoding of text."""
        for stem, length in zip(self._stems, (NEEDLE_LETTERS, STEM_SYLLABLES - 1), strict=True):
            # Not from the first letter on: somebody may have made it a capital.
            cut = stem[1 : 1 + length]
            for encoding in ENCODINGS:
                for form in {cut, cut.upper()}:
                    yield form.encode(encoding), encoding, len(stem) - 1 - length

    def numbers(self) -> Iterator[tuple[bytes, str, str]]:
        """Each phone number as bytes, with its kind and the encoding: digits, or an integer of a database."""
        for kind, digits in self._phones.items():
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                yield digits.encode(encoding), kind, encoding
            yield int(digits).to_bytes(6, "big"), kind, "integer"
            yield int(digits).to_bytes(6, "little"), kind, "integer"

    def kind_after(self, data: bytes, end: int, encoding: str, rest: int) -> str:
        """The kind of the marker whose needle ends at `end`; `rest` characters of the stem follow it."""
        following = data[end : end + 4 * (rest + 2) + 4].decode(encoding, "ignore")
        code = following[rest : rest + 2].lower()
        return next((kind for kind, own in self._kinds.items() if own == code), CUT)
