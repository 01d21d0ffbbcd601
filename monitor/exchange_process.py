"""One fetch from one exchange, in a process of its own: it has that exchange's credentials and the network, no session,
no message and no media, and writes below the folder of fetched lists alone.

Started as `python -m monitor.exchange_process CONFIG LEVEL NAME PARENT`, with the text of the configuration on standard
input and TZ=UTC (NCMEC's client writes local time and calls it UTC). Standard output gets one line of JSON, or what is
wrong; it ends with the process PARENT.
"""

import json
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from monitor import cord, exchange, logs
from monitor.config import Config
from monitor.confinement import confine_recorder, die_with
from monitor.errors import ConfigError, MonitorError
from monitor.streams import finish


def main(arguments: list[str]) -> int:
    """Fetch once; the exit code of the error, if any."""
    path, level, name, parent = Path(arguments[0]), int(arguments[1]), arguments[2], int(arguments[3])
    die_with(parent)
    logs.set_up(level)
    # What the clients log names hashes and addresses with tokens; they log as nobody in particular.
    logging.getLogger().setLevel(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        fetched = _fetch(cord.configuration(path), name)
    except MonitorError as e:
        cord.say_wrong(e)
        return e.exit_code
    standing = fetched.standing
    cord.say(
        json.dumps(
            {
                "added": fetched.added,
                "withdrawn": fetched.withdrawn,
                "changed": fetched.changed,
                "in_force": standing.count,
                "version": standing.version,
                "unusable": dict(standing.unusable),
                "unread": standing.unread,
            }
        )
    )
    return 0


def _fetch(config: Config, name: str) -> exchange.Fetched:
    entry = next((entry for entry in config.exchanges if entry.name == name), None)
    if entry is None:
        raise ConfigError(f"{config.path}: exchanges: {name} is not declared")
    known = exchange.Access(
        entry.kind,
        entry.url,
        entry.username or "",
        entry.privacy_group or 0,
        entry.secrets(config.path.parent, str(config.path)),
    )
    # What a confined process cannot do: load, ask for names, make its folder.
    ports = exchange.reach(known)
    folder = config.fetched(name).parent
    for each in (config.state, folder):  # parents would be made open to others
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    confine_recorder([folder], ports, required=config.confinement == "required")
    return exchange.fetch(config.fetched(name), known, lambda: datetime.now(UTC))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        finish()
