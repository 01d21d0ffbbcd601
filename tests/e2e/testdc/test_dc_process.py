"""``python -m monitor.testdc`` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.sessions import MemorySession

SCENARIO = """
seed: 5
users:
  - {phone: "15550001", code: "22222", dc: 2}
channels:
  - {username: example_news, posts: 120, photos: 0.1, live_per_second: 50}
"""
Run = Callable[..., Any]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    scenario = tmp_path / "scenario.yaml"
    started: list[asyncio.subprocess.Process] = []

    async def start(*options: str, text: str = SCENARIO) -> asyncio.subprocess.Process:
        scenario.write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.testdc",
            str(scenario),
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def first_line(process: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    return line


async def test_it_says_where_it_is_and_serves_until_told_to_stop(run: Run, tmp_path: Path) -> None:
    key_file = tmp_path / "key.pem"
    process = await run("--key-file", str(key_file))
    where = await first_line(process)
    assert set(where) == {"host", "ports", "public_key_file"} and set(where["ports"]) == {"1", "2"}
    rsa.add_key(key_file.read_text(encoding="ascii"), old=False)
    session = MemorySession()
    session.set_dc(1, where["host"], where["ports"]["1"])
    client = TelegramClient(session, 12345, "hash")
    await client.connect()
    await client.send_code_request("15550001")
    await client.sign_in("15550001", "22222")
    assert session.dc_id == 2
    messages = await client.get_messages("example_news", 500)
    assert messages[-1].id == 1 and len(messages) >= 121
    newest = messages[0].id
    await asyncio.sleep(0.3)
    assert (await client.get_messages("example_news", 1))[0].id > newest
    await client.disconnect()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert await process.stdout.read() == b""
    assert await process.stderr.read() == b""


async def test_it_stops_when_standard_input_closes(run: Run) -> None:
    process = await run("--until-stdin-closes")
    assert "BEGIN RSA PUBLIC KEY" in (await first_line(process))["public_key"]
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_it_stops_by_itself(run: Run) -> None:
    process = await run("--max-seconds", "0.2")
    await first_line(process)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_bad_scenario_is_one_line_and_exit_code_2(run: Run) -> None:
    process = await run(text="chanels: []")
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2 and out == b""
    assert err.decode().count("\n") == 1 and "unknown key 'chanels'" in err.decode()
