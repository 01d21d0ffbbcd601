"""Which engine searches: the compiled one where that can be had and is worth its start, else numpy."""

import threading

from monitor.matching.buckets import Engine
from monitor.matching.plain import Plain

WORTH_COMPILING = 2000
"""Hashes up to which numpy answers in some 30 µs: too few to load a compiler for."""

_PLAIN: Engine = Plain()
_lock = threading.Lock()
_best: Engine | None = None


def engine(hashes: int) -> Engine:
    """The engine for an index of so many hashes."""
    return _PLAIN if hashes < WORTH_COMPILING and _best is None else warm_up_index()


def warm_up_index(hashes: int | None = None, *, cached: bool = True) -> Engine:
    """Compile all that an index of so many `hashes` will need, or of any number, once for this process; gives
    the engine that searches from now on. A few seconds; 0.3 s when they are found compiled.

    For a process that is about to lose the file system or the right to map executable memory: afterwards no
    file is opened. With `cached` later processes find the compiled kernels in files, which numba keeps
    beside the package or, where it cannot write there, in the user's cache folder (NUMBA_CACHE_DIR names
    another); without, no file is opened for writing.
    """
    if hashes is not None and hashes < WORTH_COMPILING:
        return _PLAIN
    global _best
    with _lock:
        if _best is None:
            _best = _compiled(cached) or _PLAIN
        return _best


def backend() -> str:
    """What searches a list of some size on this machine: "numba", or "numpy" where numba cannot compile."""
    return warm_up_index().name


def _compiled(cached: bool) -> Engine | None:
    try:
        from monitor.matching.compiled import Compiled
    except ImportError:
        return None
    try:
        return Compiled(cached=cached)
    # Whatever keeps a compiler from its work, on whatever machine: there is an answer without it.
    except Exception:
        return None
