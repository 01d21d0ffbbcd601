"""Exports: what is in them, what must not be, and that each one leaves its event."""

import hashlib
import re
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.errors import InputError, StoreUnavailable
from monitor.reporting import columns
from monitor.reporting.columns import MESSAGES, MESSAGES_WITH_ADDRESSES
from monitor.reporting.entries import EntryNames
from monitor.reporting.exports import export
from monitor.reporting.sheets import SHEETS
from monitor.store import SqlStore
from monitor.store.queries import SOURCES
from tests.contract.making import CHANNEL, OTHER, START, later
from tests.unit.reporting.exports.taking import KEY, exports, names, objects, read, table, take

DESIGN = {
    "messages": """channel_id, message_id, grouped_id, posted_at, edited_at, first_seen_at, deleted_seen_at, kind,
        sender, forward_date, forward_channel_id, forward_message_id, reply_to_id, topic_id, via_bot_id, views,
        forwards, replies, reactions, media_id, media_kind, mime, size, width, height, duration, media_outcome,
        restriction, source, account""",
    "flags": """flag_id, case_id, raised_at, hash_list, list_version, entry, algorithm, distance, quality,
        threshold, rendition, media_kind, posted_at, state, screened, error_bound, query_share, list_share""",
    "channels": """channel_id, username, created_at, participants, verified, scam, fake, linked_channel_id,
        state, reason, authorization, valid_until""",
}
ADDRESSES = ["channel_id", "username", "message_id", "media_id", "link"]
DOCUMENT = Path(__file__).parents[4] / "docs" / "exports.md"


def column_names(what: str, *, addresses: bool = False, hashes: bool = False) -> list[str]:
    return [column.name for column in SHEETS[what].chosen(what, addresses, hashes)]


@pytest.mark.parametrize("what", DESIGN)
def test_columns_are_those_of_the_contract_in_its_order(what: str) -> None:
    promised = re.split(r",\s+", DESIGN[what])
    assert column_names(what)[: len(promised)] == promised


def test_what_came_later_follows_what_was_promised() -> None:
    promised = re.split(r",\s+", DESIGN["flags"])
    assert column_names("flags", addresses=True) == [*promised, *ADDRESSES, "entry_hmac", "marking"]
    assert column_names("flags", addresses=True, hashes=True)[-2:] == ["hash", "marking"]
    assert column_names("messages", addresses=True) == [*column_names("messages"), "marking"]


def test_every_sheet_has_rows() -> None:
    assert set(SHEETS) == set(SOURCES)


def test_the_document_names_every_column_with_type_and_meaning() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    fuller = [column for column in MESSAGES_WITH_ADDRESSES if column not in MESSAGES]
    there = [columns.MARKING, *MESSAGES, *fuller]
    for what, sheet in SHEETS.items():
        if what != "messages":
            there += [*sheet.columns, *sheet.more, *sheet.addresses, *sheet.hashes]
    assert sorted(documented) == sorted((column.name, column.kind, column.meaning) for column in there)


async def test_messages_as_json_lines(store: SqlStore, database: Path, tmp_path: Path) -> None:
    assert await take(store, database, "messages", "jsonl", tmp_path / "m.jsonl") == 4
    first, second, third, other = objects(tmp_path / "m.jsonl")
    assert list(first) == [column.name for column in MESSAGES]
    assert (first["channel_id"], first["message_id"], other["channel_id"]) == (CHANNEL, 1, OTHER)
    assert (first["posted_at"], first["edited_at"]) == ("2026-11-01T12:00:01Z", None)
    assert second["edited_at"] == "2026-11-01T12:00:05.250000Z"
    assert (first["views"], first["replies"], first["reactions"]) == (0, None, 4)
    assert first["restriction"] == "all:terms ios:porn"
    assert (first["media_kind"], first["mime"], first["width"]) == ("photo", "image/jpeg", 1280)
    assert (third["media_id"], third["media_outcome"]) == (None, None)


async def test_messages_as_csv_say_the_same(store: SqlStore, database: Path, tmp_path: Path) -> None:
    await take(store, database, "messages", "csv", tmp_path / "m.csv")
    await take(store, database, "messages", "jsonl", tmp_path / "m.jsonl")
    spelled = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in objects(tmp_path / "m.jsonl")
    ]
    assert table(tmp_path / "m.csv") == spelled


async def test_channels_show_state_reason_and_authorization(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    assert await take(store, database, "channels", "jsonl", tmp_path / "c.jsonl") == 2
    one, two = objects(tmp_path / "c.jsonl")
    assert (one["username"], one["channel_id"], one["verified"], one["scam"]) == (
        "example_one",
        CHANNEL,
        True,
        False,
    )
    assert (one["state"], one["reason"], one["authorization"]) == ("collecting", None, "IRB-1")
    assert one["valid_until"] == "2027-04-30T12:00:00Z"
    assert (two["state"], two["reason"], two["channel_id"], two["verified"]) == (
        "refused",
        "not_found",
        None,
        None,
    )
    await take(store, database, "channels", "csv", tmp_path / "c.csv")
    assert [row["verified"] for row in table(tmp_path / "c.csv")] == ["true", ""]


# -- addresses


async def test_flags_come_without_addresses(store: SqlStore, database: Path, tmp_path: Path) -> None:
    assert await take(store, database, "flags", "jsonl", tmp_path / "f.jsonl") == 2
    first, _ = objects(tmp_path / "f.jsonl")
    assert first == {
        "flag_id": 1,
        "case_id": 1,
        "raised_at": "2026-11-01T12:01:00Z",
        "hash_list": "partner-a",
        "list_version": "3-0123456789ab",
        "entry": "e1",
        "algorithm": "md5",
        "distance": 0,
        "quality": None,
        "threshold": 0,
        "rendition": "x",
        "media_kind": "photo",
        "posted_at": "2026-11-01T12:00:01Z",
        "state": "open",
        "screened": False,
        "error_bound": None,
        "query_share": None,
        "list_share": None,
        "entry_hmac": EntryNames(KEY)("partner-a", "e1"),
    }


async def test_with_addresses_flags_lead_to_their_messages(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.csv"
    await take(store, database, "flags", "csv", path, with_addresses=True, purpose="a report")
    seen = [[row[name] for name in ADDRESSES] for row in table(path)]
    assert seen == [
        [str(CHANNEL), "example_one", "1", "51", "https://t.me/example_one/1"],
        [str(OTHER), "", "9", "51", ""],
    ]


async def test_messages_do_not_tell_a_match_from_none(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    await take(store, database, "messages", "jsonl", tmp_path / "m.jsonl")
    outcomes = [row["media_outcome"] for row in objects(tmp_path / "m.jsonl")]
    assert outcomes == ["examined", "examined", None, "examined"]
    more = {"with_addresses": True, "purpose": "a report"}
    await take(store, database, "messages", "jsonl", tmp_path / "m.jsonl", **more)
    outcomes = [row["media_outcome"] for row in objects(tmp_path / "m.jsonl")]
    assert outcomes == ["match", "no_match", None, "match"]


@pytest.mark.parametrize("purpose", [None, "", " \t"])
async def test_addresses_need_a_purpose(
    store: SqlStore, database: Path, tmp_path: Path, purpose: str | None
) -> None:
    with pytest.raises(InputError, match="purpose"):
        await take(store, database, "flags", "csv", tmp_path / "f.csv", with_addresses=True, purpose=purpose)
    assert names(tmp_path) == ["state"]
    assert await exports(store) == []


# -- events


async def test_each_export_is_an_event(store: SqlStore, database: Path, tmp_path: Path) -> None:
    await take(store, database, "channels", "csv", tmp_path / "c.csv")
    await take(store, database, "flags", "jsonl", tmp_path / "f", with_addresses=True, purpose="to report")
    plain, addressed = await exports(store)
    assert plain.body == {
        "what": "channels",
        "format": "csv",
        "filters": None,
        "rows": 2,
        "sha256": hashlib.sha256(read(tmp_path / "c.csv").encode()).hexdigest(),
        "plain_sha256": None,
        "addresses": False,
        "hashes": False,
        "operator": "analyst-1",
        "purpose": None,
        "recipient": None,
    }
    assert (addressed.body["addresses"], addressed.body["purpose"]) == (True, "to report")
    assert addressed.at == later(100)


# -- files


async def test_the_file_is_private_and_replaces_an_older_one(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("older", encoding="utf-8")
    await take(store, database, "channels", "csv", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(table(path)) == 2
    assert names(tmp_path) == ["c.csv", "state"]


async def test_a_failure_leaves_what_was_there(store: SqlStore, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(StoreUnavailable):
        await take(store, tmp_path / "nowhere.sqlite3", "messages", "csv", path)
    with suppress(RuntimeError):
        await export(Forgetful(), database, "messages", "csv", path, operator="a", at=START)  # type: ignore[arg-type]
    assert read(path) == "older"
    assert names(tmp_path) == ["m.csv", "state"]


class Forgetful:
    """A store that cannot keep the event."""

    async def append(self, *_: object) -> int:
        raise RuntimeError


@pytest.mark.parametrize("out", [".", "nowhere/f.csv", "file/f.csv"])
async def test_a_path_that_cannot_be_written_is_bad_input(
    store: SqlStore, database: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as refused:
        await take(store, database, "messages", "csv", tmp_path / out)
    assert str(tmp_path / out) in str(refused.value)
    assert await exports(store) == []


@pytest.mark.parametrize(("what", "kind"), [("people", "csv"), ("flags", "xml")])
async def test_what_is_not_known_is_bad_input(
    store: SqlStore, database: Path, tmp_path: Path, what: str, kind: str
) -> None:
    with pytest.raises(InputError, match="choose one of"):
        await take(store, database, what, kind, tmp_path / "out")


async def test_channels_have_no_addresses_of_flagged_messages(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="with-addresses"):
        await take(store, database, "channels", "csv", tmp_path / "c", with_addresses=True, purpose="none")
