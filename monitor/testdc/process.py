"""Start the test data centre as a process of its own, and stop it: for tests and benchmarks."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STOP_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where a data centre listens, and the file with its public key (PEM)."""

    host: str
    port: int
    key_file: Path

    @property
    def settings(self) -> dict[str, object]:
        """What stands under telegram.server in a configuration."""
        return {"dc": 1, "host": self.host, "port": self.port, "public_key": str(self.key_file)}


@contextlib.contextmanager
def served(scenario: Mapping[str, Any], folder: Path, *, max_seconds: float = 600) -> Iterator[Served]:
    """Serve a scenario (see `monitor.testdc.scenario`) for as long as the block lasts; files go to `folder`.

    Raises RuntimeError when it does not start.
    """
    path, key = folder / "scenario.yaml", folder / "dc.pem"
    path.write_text(yaml.safe_dump(dict(scenario)), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "monitor.testdc",
        str(path),
        "--key-file",
        str(key),
        "--until-stdin-closes",
    ]
    process = subprocess.Popen(  # noqa: S603 — our own module, in our own interpreter
        [*command, "--max-seconds", str(max_seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes to the test data centre")
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the test data centre did not start (exit code {process.wait()})")
            where = json.loads(line)
            yield Served(where["host"], where["ports"]["1"], key)
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
