"""`python -m monitor.confinement PROCESS [FOLDER]`: confine this process as that one, and say what is in force.

For `monitor check`, which must not confine itself. Prints one object of JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from monitor.confinement import (
    DECODER_CPU_SECONDS,
    DECODER_MEMORY,
    InForce,
    confine_collector,
    confine_decoder,
    confine_recorder,
)


def main(process: str, folder: str) -> InForce:
    """What is in force for a collector, a decoder, or a recorder that writes below `folder`."""
    if process == "collector":
        return confine_collector((443,), required=False)
    if process == "decoder":
        return confine_decoder(DECODER_MEMORY, DECODER_CPU_SECONDS, required=False)
    return confine_recorder([Path(folder)], required=False)


if __name__ == "__main__":
    print(json.dumps(asdict(main(*sys.argv[1:3]))), flush=True)
