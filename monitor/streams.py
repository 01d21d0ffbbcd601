"""Standard output and error at a process's end."""

import select
import sys


def finish() -> None:
    """Write out what is left; where nobody reads any more (a closed terminal, a pipe), that is no failure."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            stream.flush()
            gone = _hung_up(stream.fileno())
        except OSError:
            gone = True
        if gone:
            # The interpreter tries once more at its end, also what is said until then, and exits with 120.
            setattr(sys, name, None)


def _hung_up(descriptor: int) -> bool:
    watched = select.poll()
    watched.register(descriptor, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in watched.poll(0))
