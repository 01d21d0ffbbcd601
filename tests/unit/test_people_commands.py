"""Commands that ask who acts, and those that care for the store: what they say, and with which exit code they end."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor import state
from monitor.cli import app
from monitor.model import EventType, Refusal
from monitor.reporting import decisions
from monitor.reporting.acting import act
from monitor.store import SqlStore, open_store
from monitor.store.operators import verify_password
from tests.contract.making import START, batch, declared, matched, message, picture, profile

WORDS = "correct horse battery"
OLD = datetime.now(UTC) - timedelta(days=90)


@pytest.fixture(autouse=True)
def _nobody_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONITOR_OPERATOR", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("operator: me\nretention: {messages: 30d}\n")

    async def record(store: SqlStore) -> None:
        await store.declare([declared("one_channel")], START)
        await store.joined("one_channel", profile(), "main", START)
        sender = {"sender": "p-1"}
        records = (
            message(1, first_seen_at=OLD, **sender),
            message(2, first_seen_at=datetime.now(UTC), **sender),
        )
        await store.record([batch(*records)])

    with_store(path, record)
    return path


def with_store(config: Path, work: Any) -> Any:
    async def done() -> Any:
        async with open_store(config.parent / "state" / "monitor.db") as store:
            return await work(store)

    return asyncio.run(done())


def call(config: Path, *words: str, code: int = 0, answers: str | None = None) -> Any:
    done = CliRunner().invoke(app, [*words, "--config", str(config)], input=answers)
    assert done.exit_code == code, done.output
    return done


def staff(config: Path) -> None:
    """An admin and one person of each other role."""
    call(config, "operators", "add", "root", "--role", "admin")
    for name, role in (("vera", "viewer"), ("rae", "reviewer"), ("eve", "exporter")):
        call(config, "operators", "add", name, "--role", role, "--as", "root")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# -- who may what

EXPORT = ("export", "flags", "--out", "flags.csv")
ADDRESSES = (*EXPORT, "--with-addresses", "--purpose", "a test")
MAY = {
    EXPORT: {"root", "vera", "rae", "eve"},
    ADDRESSES: {"eve"},
    ("lists", "release", "partner-a", "e1"): {"rae"},
    ("channels", "revoke", "nobody_one", "--reason", "r"): {"root"},
    ("rescan", "--since", "2026-01-01"): {"root"},
    ("operators", "add", "vera", "--role", "viewer"): {"root"},
    ("operators", "change", "vera", "--role", "viewer"): {"root"},
    ("operators", "disable", "nobody"): {"root"},
    ("db", "backup", "no/such/folder"): {"root"},
    ("db", "retention"): {"root", "vera", "rae", "eve"},
    ("db", "retention", "--run"): {"root"},
    ("db", "erase", "--event", "99", "--reason", "r"): {"root"},
}


@pytest.mark.parametrize("words", MAY, ids=" ".join)
def test_each_command_takes_those_who_may_and_no_others(
    config: Path, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    staff(config)
    for name in ("root", "vera", "rae", "eve", "me", "nobody"):
        done = CliRunner().invoke(app, [*words, "--as", name, "--config", str(config)])
        if name in MAY[words]:
            assert done.exit_code in (0, 2), done.output  # what else may be wrong with it
        else:
            assert done.exit_code == 5, done.output
            assert done.stderr.startswith(f"monitor: {name}: ")
            assert len(done.stderr.splitlines()) == 1


def test_until_the_first_is_added_the_configurations_operator_may_everything(config: Path) -> None:
    assert "me acts in every role" in call(config, "status").output
    assert lines(call(config, "status", "--json").stdout)[0]["operators"] == 0
    assert "me, whom the configuration names" in call(config, "operators", "list").output
    for words in (("--as", "you"), ()):
        call(config, "db", "retention", *words, code=5 if words else 0)
    staff(config)
    assert "every role" not in call(config, "status").output
    assert lines(call(config, "status", "--json").stdout)[0]["operators"] == 4
    assert "me: is no operator" in call(config, "db", "retention", code=5).stderr


def test_the_environment_names_who_acts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staff(config)
    monkeypatch.setenv("MONITOR_OPERATOR", "vera")
    call(config, "db", "retention")
    assert "needs the role admin" in call(config, "db", "retention", "--run", code=5).stderr
    call(config, "db", "retention", "--run", "--as", "root")


def test_operators_are_listed_changed_and_disabled(config: Path) -> None:
    staff(config)
    call(config, "operators", "change", "vera", "--role", "viewer", "--role", "exporter", "--as", "root")
    call(config, "operators", "disable", "rae", "--as", "root")
    found = {one["name"]: one for one in lines(call(config, "operators", "list", "--json").stdout)}
    assert found["vera"]["roles"] == ["exporter", "viewer"]
    assert found["rae"]["disabled_at"] is not None
    assert found["eve"]["disabled_at"] is None
    assert "exporter, viewer" in call(config, "operators", "list").stdout
    assert "was disabled" in call(config, *EXPORT, "--as", "rae", code=5).stderr
    call(config, "operators", "change", "rae", "--role", "reviewer", "--as", "root")
    assert (
        "takes viewer, reviewer"
        in call(config, "operators", "change", "rae", "--role", "boss", "--as", "root", code=2).stderr
    )


def test_a_password_comes_from_a_private_file_or_standard_input_and_never_from_the_line(
    config: Path, tmp_path: Path
) -> None:
    staff(config)
    secret = tmp_path / "password"
    secret.write_text(WORDS + "\n")
    secret.chmod(0o644)
    setting = ("operators", "password", "vera", "--as", "root")
    assert "chmod 600" in call(config, *setting, "--from", str(secret), code=2).stderr
    secret.chmod(0o600)
    done = call(config, *setting, "--from", str(secret))
    assert WORDS not in done.output
    assert with_store(config, lambda store: verify_password(store, "vera", WORDS)) is not None
    call(config, *setting, "--from", "-", answers="another " + WORDS)
    assert with_store(config, lambda store: verify_password(store, "vera", "another " + WORDS)) is not None
    assert "no terminal" in call(config, *setting, code=2).stderr
    assert call(config, *setting, WORDS, code=2)  # the line takes none


# -- the store


def events(config: Path, kind: EventType) -> list[dict[str, Any]]:
    async def read(store: SqlStore) -> list[dict[str, Any]]:
        return [dict(e.body) async for e in store.reader.events() if e.type is kind]

    found: list[dict[str, Any]] = with_store(config, read)
    return found


def test_retention_shows_first_and_removes_when_told(config: Path) -> None:
    (row,) = lines(call(config, "db", "retention", "--json").stdout)
    assert (row["purpose"], row["days"], row["due"], row["removed"]) == ("messages", 30, 1, None)
    assert "nothing was removed" in call(config, "db", "retention").output
    assert events(config, EventType.RETENTION_RUN) == []
    (row,) = lines(call(config, "db", "retention", "--run", "--json").stdout)
    assert (row["due"], row["removed"]) == (1, 1)
    assert [body["operator"] for body in events(config, EventType.RETENTION_RUN)] == ["me", "me"]
    config.write_text("operator: me\n")
    assert "everything is kept" in call(config, "db", "retention", code=2).stderr


def test_closed_cases_go_by_command(config: Path) -> None:
    config.write_text("operator: me\nretention: {cases: 30d}\n")

    async def close(store: SqlStore) -> None:
        await store.record([batch(message(3, media=picture(7), first_seen_at=OLD))])
        await store.examined(matched(7, at=OLD))
        await act(store, 1, decisions.accept("me"), OLD)

    with_store(config, close)
    (row,) = lines(call(config, "db", "retention", "--json").stdout)
    assert (row["purpose"], row["due"]) == ("cases", 1)
    assert "accepted" in call(config, "cases", "list").stdout
    assert lines(call(config, "db", "retention", "--run", "--json").stdout)[0]["removed"] == 1
    assert call(config, "cases", "list", "--json").stdout == ""
    assert "case 1: there is none" in call(config, "cases", "show", "1", code=2).stderr


def test_an_erasure_needs_a_reason_and_one_thing_to_erase(config: Path) -> None:
    assert call(config, "db", "erase", "--event", "0", code=2)
    because = ("--reason", "asked for")
    for words in ((), ("--event", "0", "--sender", "p-1"), ("--sender", "")):
        assert "one of --event" in call(config, "db", "erase", *words, *because, code=2).stderr
    assert "1 to 500" in call(config, "db", "erase", "--event", "0", "--reason", " ", code=2).stderr
    assert (
        "being collected" in call(config, "db", "erase", "--channel", "one_channel", *because, code=2).stderr
    )
    assert "event bodies 1" in call(config, "db", "erase", "--event", "0", *because).output
    (said,) = lines(call(config, "db", "erase", "--sender", "p-1", "--json", *because).stdout)
    assert said == {"events": 0, "messages": 2, "forwards": 0, "kept": 0, "overwritten": True}
    with_store(config, lambda store: store.refused("one_channel", Refusal.GONE, START))
    assert "erased: nothing" in call(config, "db", "erase", "--channel", "@one_channel", *because).output
    assert {body["operator"] for body in events(config, EventType.ERASED)} == {"me"}


def test_backup_and_restore_and_what_lies_aside(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    done = call(config, "db", "backup", str(copy))
    assert "SHA-256" in done.output
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    call(config, "db", "retention", "--run")
    again = call(config, "db", "restore", str(copy))
    assert "later events carried over: 3;" in again.output
    assert "retention and erasures among them: 2;" in again.stderr
    (aside,) = (tmp_path / "state").glob("monitor.db.before-*")
    assert str(aside) in again.output
    (row,) = lines(call(config, "db", "retention", "--json").stdout)
    assert row["due"] == 1
    assert "schema 0001, as it was" in call(config, "db", "upgrade").output


def test_a_store_that_cannot_be_read_is_restored_by_whom_the_backup_knows(
    config: Path, tmp_path: Path
) -> None:
    staff(config)
    copy = tmp_path / "copy.db"
    call(config, "db", "backup", str(copy), "--as", "root")
    (tmp_path / "state" / "monitor.db").write_bytes(b"what was here? " * 1000)
    assert "is no operator" in call(config, "db", "restore", str(copy), code=5).stderr
    assert (
        "events could not be carried over" in call(config, "db", "restore", str(copy), "--as", "root").stderr
    )
    assert len(lines(call(config, "operators", "list", "--json").stdout)) == 4


def test_a_store_that_a_daemon_works_on_is_not_restored(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOCK_PATIENCE", 0.1)
    copy = tmp_path / "copy.db"
    call(config, "db", "backup", str(copy))
    with state.sole(tmp_path / "state"):
        assert "another monitor is at work" in call(config, "db", "restore", str(copy), code=2).stderr
        call(config, "db", "backup", str(tmp_path / "second.db"))
    assert not list((tmp_path / "state").glob("*.before-*"))


def test_what_needs_a_store_says_that_there_is_none(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("retention: {messages: 30d}\n")
    for words in (("backup", "x"), ("retention",), ("erase", "--event", "1", "--reason", "r"), ("upgrade",)):
        assert "there is no store yet" in call(config, "db", *words, code=2).stderr
    assert call(config, "operators", "list", "--json").stdout == ""
