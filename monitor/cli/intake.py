"""What a desk is asked before a file is hashed onto a local list: references, an end, and whether a minor is shown."""

from datetime import datetime
from typing import NamedTuple

import typer

from monitor.cli.frame import time_of

QUESTION = "Is anyone shown, or made to appear, who is under 18 or was when it was made? yes, no or unsure"
MINORS = """\
nothing was hashed and nothing is kept: pictures and films of minors do not belong on a list of your own
do not copy or send the file; these services act for minors:
  NCMEC Take It Down, worldwide, for whoever was under 18 then: takeitdown.ncmec.org; hashes on the person's own device
  Report Remove by Childline and the IWF, United Kingdom, under 18: childline.org.uk/remove
  Korea: call 1366 (중앙디지털성범죄피해자지원센터); elsewhere the police or your hotline: inhope.org"""
BLIND = "the hash of a source photograph does not match a fake made from it: hash what is being spread, too"


class Told(NamedTuple):
    """What a command was told beside the files, as it was typed."""

    to_list: str
    case: str | None
    consent: str | None
    expires: str | None
    category: str | None
    minor_shown: str | None


class Agreed(NamedTuple):
    """What stands beside each hash: references of case and consent, until when (None: no end), category or ""."""

    case: str
    consent: str
    expires: datetime | None
    category: str


def agreed_on(told: Told, at: datetime) -> Agreed:
    """What was told, checked. Raises InputError for what is missing, is no reference, or is over at `at`."""
    return Agreed(
        _reference("--case-reference", told.case),
        _reference("--consent-reference", told.consent),
        _expires(told.expires, at),
        _category(told.category),
    )


def no_minor(answer: str | None) -> None:
    """Go on only when it was said that no minor is shown. Raises InputError."""
    import sys

    from monitor.errors import InputError

    if answer is None and not sys.stdin.isatty():
        raise InputError(
            "whether a minor is shown was not answered: --minor-shown yes or no; nothing was hashed, nothing is kept"
        )
    if answer is None:
        answer = str(typer.prompt(QUESTION, prompt_suffix="? ", err=True))
    match answer.strip().lower():
        case "no" | "n":
            return
        case "yes" | "y" | "unsure":
            raise InputError(MINORS)
        case _:
            raise InputError("whether a minor is shown takes yes or no; nothing was hashed, nothing is kept")


def _reference(option: str, text: str | None) -> str:
    from monitor.errors import InputError
    from monitor.model import IDENTIFIER

    if text is None:
        raise InputError(f"{option}: is missing; a local list keeps no hash without it")
    if not IDENTIFIER.fullmatch(text):
        raise InputError(
            f"{option}: takes letters, digits, '.', '_', ':' and '-', 64 at most: a number of yours, and no name"
        )
    return text


def _expires(text: str | None, at: datetime) -> datetime | None:
    from monitor.errors import InputError

    if text is None:
        return None
    # The file of the list keeps whole seconds.
    expires = time_of("--expires", text, end_of_day=True).replace(microsecond=0)
    if expires <= at:
        raise InputError(f"--expires: {text} is over; name a day to come")
    return expires


def _category(text: str | None) -> str:
    from monitor.errors import InputError
    from monitor.model import Category

    usual = (Category.ADULT_FILMED.value, Category.ADULT_SYNTHETIC.value)
    if text is not None and text not in usual:
        raise InputError(
            f"--category: is one of {', '.join(usual)}; a minor belongs on no list that is kept here"
        )
    return text or ""
