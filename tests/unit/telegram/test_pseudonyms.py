"""Pseudonyms agree within a key; when the key is gone, nothing ties the old ones to anybody."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import load
from monitor.model import Event, EventType
from monitor.state import sole
from monitor.store import open_reader
from monitor.telegram.pseudonyms import Pseudonyms, key_id

PEOPLE = range(1, 2_000)


def monitor(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.output + result.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    code, said = monitor("init", "--config", path)
    assert code == 0, said
    return path


def names(config: Path) -> list[str]:
    give = Pseudonyms(config.with_name("pseudonym.key").read_bytes())
    return [give(person) for person in PEOPLE]


async def rotations(config: Path) -> list[Event]:
    async with open_reader(load(config).database) as reader:
        return [e async for e in reader.events() if e.type is EventType.PSEUDONYM_KEY_ROTATED]


def test_within_one_key_names_agree(config: Path) -> None:
    assert names(config) == names(config)
    assert len(set(names(config))) == len(PEOPLE)


def test_after_rotation_old_names_are_tied_to_nobody(config: Path) -> None:
    key = config.with_name("pseudonym.key")
    old_key, old = key.read_bytes(), names(config)
    code, said = monitor("init", "--rotate-pseudonym-key", "--config", config)
    assert code == 0, said
    new = names(config)
    assert not {n[:8] for n in old} & {n[:8] for n in new}
    assert not {n[9:] for n in old} & {n[9:] for n in new}, "no name but for its prefix recurs"
    left = [file for file in config.parent.rglob("*") if file.is_file()]
    assert not any(old_key.strip() in file.read_bytes() for file in left), "the old key is nowhere"
    # Who holds all that is left can try every id under every secret that is left, and meets no old name.
    guesses = {Pseudonyms(file.read_bytes())(p) for file in left if file.stat().st_size >= 32 for p in PEOPLE}
    assert set(new) <= guesses and not set(old) & guesses
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


async def test_a_rotation_is_on_record_by_key_ids_alone(config: Path) -> None:
    key = config.with_name("pseudonym.key")
    old = key_id(key.read_bytes())
    code, said = await in_thread("init", "--rotate-pseudonym-key", "--config", config)
    assert code == 0, said
    (event,) = await rotations(config)
    assert event.body == {"old": old, "new": key_id(key.read_bytes()), "kept": False}
    assert names(config)[0].startswith(f"{event.body['new']}-")


async def in_thread(*arguments: object) -> tuple[int, str]:
    import asyncio

    return await asyncio.to_thread(monitor, *arguments)  # the command runs a loop of its own


def test_a_kept_key_still_makes_the_old_names(config: Path, tmp_path: Path) -> None:
    old = names(config)
    kept = tmp_path / "kept.key"
    code, said = monitor("init", "--rotate-pseudonym-key", "--keep", kept, "--config", config)
    assert code == 0, said
    assert [Pseudonyms(kept.read_bytes())(person) for person in PEOPLE] == old
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_rotation_cut_short_is_brought_to_its_end(config: Path) -> None:
    key, fresh = config.with_name("pseudonym.key"), config.with_name("pseudonym.key.new")
    fresh.write_bytes(b"f" * 64)
    fresh.chmod(0o600)
    assert monitor("init", "--rotate-pseudonym-key", "--config", config)[0] == 0
    assert key.read_bytes() == b"f" * 64 and not fresh.exists()


def test_what_cannot_be_done_leaves_the_key_as_it_is(config: Path) -> None:
    key = config.with_name("pseudonym.key")
    before, state = key.read_bytes(), load(config).state
    state.mkdir(mode=0o700)
    with sole(state):
        code, said = monitor("init", "--rotate-pseudonym-key", "--config", config)
    assert (code, "another monitor is at work" in said) == (2, True)
    code, said = monitor("init", "--rotate-pseudonym-key", "--keep", state / "old", "--config", config)
    assert (code, "keep the key elsewhere" in said) == (2, True)
    assert monitor("init", "--keep", "somewhere", "--config", config)[0] == 2
    key.chmod(0o644)
    code, said = monitor("init", "--rotate-pseudonym-key", "--config", config)
    assert (code, "chmod 600" in said) == (2, True)
    assert key.read_bytes() == before
