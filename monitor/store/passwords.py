"""How a password is kept: argon2id (RFC 9106) with a salt of its own, never the password itself."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from monitor.errors import InputError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
"""Characters."""


@cache
def usual() -> "PasswordHasher":
    """The parameters in force: RFC 9106's second recommendation, 64 MiB of memory and three passes."""
    # Imported here: most commands ask for no password.
    from argon2 import PasswordHasher

    return PasswordHasher()


def check(password: str) -> None:
    """Raises InputError for a password that is too short, or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"the password takes {SHORTEST} to {LONGEST} characters")


def hashed(password: str) -> str:
    """The password as it is kept, in argon2's own encoding: some 100 characters, some 100 ms."""
    return usual().hash(_plain(password))


def verified(password: str, kept: str | None) -> bool:
    """Whether it is the password that is kept. Where none is, as much time is spent, and it is not."""
    from argon2.exceptions import InvalidHashError, VerificationError

    nobody = _nobody()  # for every name, so that the first unknown one takes no longer
    try:
        usual().verify(kept or nobody, _plain(password))
    except (InvalidHashError, VerificationError):
        return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Whether it was kept under other parameters than those in force."""
    return usual().check_needs_rehash(kept)


@cache
def _nobody() -> str:
    """What an unknown name is compared with."""
    return usual().hash("")


def _plain(password: str) -> bytes:
    # One character can be typed as several code points, by keyboards that differ (NIST SP 800-63B, 3.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
