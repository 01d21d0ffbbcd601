"""What media is fetched, and who said that it may be."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.config.values import Section, Size, Words
from monitor.model import FETCHED_KINDS, MediaKind


def _with_a_file(value: frozenset[MediaKind]) -> frozenset[MediaKind]:
    if others := sorted(value - FETCHED_KINDS):
        raise ValueError(
            f"{others[0]} has no file to fetch; those that have: {', '.join(sorted(FETCHED_KINDS))}"
        )
    return value


class Legal(Section):
    """Who said that media may be fetched, and under what limits."""

    jurisdiction: Words
    reference: Words
    reviewed_on: date
    fetch_suspected: bool = False


class Video(Section):
    """How films are sampled, and how much of one is looked at: seconds of the film, frames, pixels of a frame, seconds
    of processor time. `keyframes_only` is fast and misses much: to screen, not to clear.
    """

    frames_per_second: Annotated[float, Field(gt=0, le=30)] = 1
    keyframes_only: bool = False
    max_seconds: Annotated[float, Field(gt=0, le=86_400)] = 7200
    max_frames: Annotated[int, Field(gt=0, le=100_000)] = 7200
    max_pixels: Annotated[int, Field(ge=10_000, le=36_000_000)] = 8_912_896
    max_cpu_seconds: Annotated[float, Field(gt=0, le=1200)] = 300


class Media(Section):
    """What is fetched: kinds; whether of photos the small size first; limits of one item, and of all that is in
    memory at once, in bytes or such as 200MB.
    """

    kinds: Annotated[frozenset[MediaKind], AfterValidator(_with_a_file)] = FETCHED_KINDS
    screen_photos: bool = True
    max_bytes: Size = 200_000_000
    max_bytes_in_flight: Size = 400_000_000
    video: Video = Video()
