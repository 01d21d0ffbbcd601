"""`python -m monitor.selftest.escapes PROCESS GIVEN`: confine this process as that one, then try every way out.

PROCESS is collector, decoder, recorder, or anything else for a control run that nothing confines.
GIVEN is `Given` as JSON. Prints a line of JSON for what is in force, and one for each attempt: its name and
"escaped" or the error that held it.
"""

import errno
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monitor.confinement import InForce, confine_collector, confine_decoder, confine_recorder
from monitor.selftest.escapes import ATTEMPTS, Given, Targets


def main(process: str, given: Given) -> None:
    """Confine, try everything, tell."""
    targets = Targets(given)
    # With a limit on files, writing would end the process.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _tell(asdict(_confined(process, given)))
    for name, way in ATTEMPTS.items():
        try:
            way(targets)
            outcome = "escaped"
        except (OSError, RuntimeError, MemoryError) as e:
            number = getattr(e, "errno", None)
            outcome = errno.errorcode.get(number, "?") if number else type(e).__name__
        _tell([name, outcome])


def _confined(process: str, given: Given) -> InForce:
    if process == "collector":
        return confine_collector(given.ports, required=False)
    if process == "decoder":
        return confine_decoder(given.memory, given.cpu_seconds, required=False)
    if process == "recorder":
        return confine_recorder([Path(given.writable)], required=False)
    return InForce(process, ())


def _tell(what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], Given(**json.loads(sys.argv[2])))
