"""The log of a configuration is kept up beside its store; what keeps it from that is said, and tried again."""

import asyncio
from pathlib import Path

import pytest

from monitor.config import Config, load
from monitor.errors import ConfigError
from monitor.model import EventType
from monitor.proving import brought_up, keep_up, required_signer, signer, verified_state
from monitor.reportlog import known_checkpoint
from monitor.store import open_store
from tests.contract.making import later
from tests.unit.reportlog.making import SIGNER, erase

TEXT = "report_log: {origin: example.org/monitor, key: {file: log.key}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "log.key").write_text(SIGNER.seed.hex())
    (tmp_path / "log.key").chmod(0o600)
    (tmp_path / "config.yaml").write_text(TEXT)
    return load(tmp_path / "config.yaml")


async def until(size: int, config: Config) -> None:
    async with asyncio.timeout(30):
        while getattr(known_checkpoint(config.log), "size", 0) != size:
            await asyncio.sleep(0.05)


async def test_new_events_are_logged_while_the_store_is_open_and_at_its_end(config: Config) -> None:
    key, ended = signer(config), asyncio.Event()
    assert key == SIGNER
    async with open_store(config.database) as store:
        keeping = asyncio.create_task(keep_up(config, store.reader, key, ended))
        for number in range(1, 4):
            await store.append(EventType.EXPORT_MADE, {"rows": number}, later(number))
            await until(number, config)
        await store.append(EventType.EXPORT_MADE, {"rows": 4}, later(4))
        ended.set()
        await keeping
    checkpoint = known_checkpoint(config.log)
    assert checkpoint is not None and checkpoint.size == 4


async def test_a_log_that_cannot_be_written_is_said_and_tried_again(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()
    async with open_store(config.database) as store:
        config.log.write_text("in its place")
        await store.append(EventType.EXPORT_MADE, {"rows": 1}, later(1))
        keeping = asyncio.create_task(keep_up(config, store.reader, SIGNER, ended))
        async with asyncio.timeout(30):
            while "cannot be continued" not in caplog.text:
                await asyncio.sleep(0.05)
        config.log.unlink()
        await until(1, config)
        ended.set()
        await keeping


async def test_a_state_is_verified_with_its_events(config: Config) -> None:
    async with open_store(config.database) as store:
        for number in range(3):
            await store.append(EventType.EXPORT_MADE, {"rows": number}, later(number))
        assert await brought_up(config) == known_checkpoint(config.log)
        await erase(store, 1)
        await store.append(EventType.EXPORT_MADE, {"rows": 3}, later(3))
    found = await verified_state(config, pinned=SIGNER.key)
    assert (found.verified.checkpoint.size, found.erased, found.waiting, found.removed) == (3, 1, 1, 0)


async def test_without_a_key_there_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("operator: analyst-1\n")
    config = load(path)
    async with open_store(config.database) as store:
        await store.append(EventType.EXPORT_MADE, {"rows": 1}, later(1))
    assert signer(config) is None and await brought_up(config) is None
    with pytest.raises(ConfigError, match="no log that others could verify"):
        required_signer(config)
