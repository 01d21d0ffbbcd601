"""``python -m monitor.testdc SCENARIO.yaml``: the test data centre as a process of its own.

Prints one line of JSON when it listens, then serves until SIGTERM, SIGINT, its time is up, or, where asked,
standard input closes. Exit code 0 at the end, 2 for a scenario that cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from monitor.testdc.cluster import Cluster
from monitor.testdc.errors import ScenarioError
from monitor.testdc.scenario import Live, Scenario, load

MAX_SECONDS = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit code."""
    options = _options(arguments)
    try:
        scenario = load(options.scenario)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    scenario.prepare()
    try:
        asyncio.run(_serve(scenario, options))
    except OSError as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 2
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m monitor.testdc", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "scenario", type=Path, help="YAML file; its keys are described in monitor/testdc/scenario.py"
    )
    parser.add_argument(
        "--ports", type=int, nargs=2, default=(0, 0), metavar=("DC1", "DC2"), help="0 picks a free one"
    )
    parser.add_argument("--key-file", type=Path, help="write the public key there (PEM, PKCS#1)")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="also stop when standard input closes"
    )
    parser.add_argument(
        "--max-seconds", type=float, default=MAX_SECONDS, help="stop after that long (%(default)s)"
    )
    return parser.parse_args(arguments)


async def _serve(scenario: Scenario, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True, name="stdin").start()
    async with (
        Cluster(scenario.world, scenario.seed, tuple(options.ports)) as cluster,
        asyncio.TaskGroup() as group,
    ):
        scenario.order(cluster)
        where: dict[str, object] = {
            "host": cluster.host,
            "ports": {str(dc): cluster.port(dc) for dc in cluster.dc_ids},
        }
        if options.key_file:
            options.key_file.write_text(cluster.public_key, encoding="ascii")
            where["public_key_file"] = str(options.key_file)
        else:
            where["public_key"] = cluster.public_key
        print(json.dumps(where), flush=True)
        live = [group.create_task(_post_live(each), name=f"live:{n}") for n, each in enumerate(scenario.live)]
        try:
            async with asyncio.timeout(options.max_seconds):
                await stop.wait()
        except TimeoutError:
            pass  # it must end by itself, and now it does
        finally:
            for task in live:
                task.cancel()


async def _post_live(live: Live) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due += live.seconds
        await asyncio.sleep(max(0.0, due - loop.time()))
        live.post()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read instead of sys.stdin: a thread inside the latter's lock would block the interpreter's exit.
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
