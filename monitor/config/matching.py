"""When a hash counts as a match."""

from typing import Annotated

from pydantic import Field

from monitor.config.values import Section


class Perceptual(Section):
    """When a perceptual hash counts as a match: distance in bits; quality from 0 to 100."""

    max_distance: Annotated[int, Field(ge=0, le=63)]
    min_quality: Annotated[int, Field(ge=0, le=100)] = 0


class Films(Section):
    """When a film counts as a match: distance in bits and quality of a frame; the per cent of its frames, and of the
    listed film's, that are near one of the other's; how many of a longer film's have to show a listed picture.
    """

    max_distance: Annotated[int, Field(ge=0, le=63)] = 31
    min_quality: Annotated[int, Field(ge=0, le=100)] = 50
    min_query_share: Annotated[int, Field(ge=1, le=100)] = 80
    min_list_share: Annotated[int, Field(ge=0, le=100)] = 0
    picture_frames: Annotated[int, Field(ge=1, le=100)] = 2


class Matching(Section):
    """Thresholds by algorithm; bits that the radius is wider by when a photo's small size is looked at;
    media items that one entry may match within an hour before its flags are held back; hashes that an operator
    may look up within an hour.
    """

    pdq: Perceptual = Perceptual(max_distance=31, min_quality=50)
    phash: Perceptual = Perceptual(max_distance=8)
    dhash: Perceptual = Perceptual(max_distance=8)
    vpdq: Films = Films()
    screen_margin: Annotated[int, Field(ge=0, le=64)] = 16
    flood_guard: Annotated[int, Field(ge=1)] = 100
    lookups_per_hour: Annotated[int, Field(ge=0)] = 1_000
