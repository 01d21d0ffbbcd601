"""How near is near enough, for each algorithm, unless a list says otherwise."""

from collections.abc import Mapping

from monitor.model import Algorithm

MAX_DISTANCE: Mapping[Algorithm, int] = {
    Algorithm.MD5: 0,
    Algorithm.SHA1: 0,
    Algorithm.SHA256: 0,
    Algorithm.PDQ: 31,
    # Within 10 bits a random picture matches one of ten million every ten queries.
    Algorithm.PHASH: 8,
    Algorithm.DHASH: 8,
    Algorithm.VPDQ: 31,
}
"""Bits within which two hashes match, included."""

MIN_QUALITY = 50
"""PDQ quality below which a picture says too little for any perceptual match."""


def checked(algorithm: Algorithm, max_distance: int | None, min_quality: int | None) -> tuple[int, int]:
    """Distance and quality with the defaults filled in. Raises ValueError when they make no sense."""
    distance = MAX_DISTANCE[algorithm] if max_distance is None else max_distance
    quality = (0 if algorithm.exact else MIN_QUALITY) if min_quality is None else min_quality
    bits = 0 if algorithm.exact else algorithm.size * 8
    if not 0 <= distance <= bits:
        raise ValueError(f"max_distance of {algorithm} must lie within 0 and {bits} bits")
    if not 0 <= quality <= 100:
        raise ValueError("min_quality must lie within 0 and 100")
    return distance, quality
