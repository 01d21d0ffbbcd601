"""A configuration that collects one channel of a test data centre."""

from pathlib import Path
from typing import Any

import yaml

from monitor.testdc.process import Served

AUTHORIZATION = {
    "reference": "BENCH",
    "basis": "owner_consent",
    "granted_by": "nobody",
    "valid_from": "2020-01-01",
    "valid_until": "2099-12-31",
}


def configure(folder: Path, place: Served, channel: str, **more: Any) -> None:
    """Write config.yaml and the secrets that it names to a folder. `more` are further sections; what they say under
    `telegram` is added to the data centre's address."""
    for name, content in (("api_hash", "0" * 32), ("pseudonym.key", "0" * 64)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    config = {
        "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
        "channels": [{"username": channel, "authorization": AUTHORIZATION}],
        **more,
        "telegram": {"server": place.settings, **more.get("telegram", {})},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
