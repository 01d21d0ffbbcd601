"""STIX and MISP: what other platforms take, with no more in it than was asked for."""

import io
import json
import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stix2
from stix2patterns.v21.pattern import Pattern

from monitor.errors import InputError
from monitor.model import Algorithm
from monitor.reporting.entries import EntryNames
from monitor.reporting.formats import FORMATS, Head
from monitor.store import Filters, SqlStore
from tests.contract.making import PDQ, START, later, matched
from tests.unit.reporting.exports.taking import KEY, PURPOSE, take

VALUES = {Algorithm.MD5: "ab" * 16, Algorithm.PDQ: "cd" * 32}


def values(hash_list: str, entry: str, algorithm: str) -> str | None:
    return VALUES[Algorithm(algorithm)] if (hash_list, entry) == ("partner-a", "e1") else None


HASHES = {"with_hashes": True, "values": values, "purpose": "a report"}
CHOICES = {"plain": {}, "addresses": PURPOSE, "hashes": HASHES, "both": PURPOSE | HASHES}


async def taken(
    store: SqlStore, database: Path, kind: str, *, name: str = "out.json", **more: Any
) -> dict[str, Any]:
    path = database.with_name(name)
    await take(store, database, "flags", kind, path, **more)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def of(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item for item in bundle["objects"] if item["type"] == kind]


@pytest.fixture
async def store_with_a_near_match(store: SqlStore) -> SqlStore:
    await store.examined(matched(52, PDQ, at=later(90)))
    return store


# -- STIX


@pytest.mark.parametrize("choice", CHOICES)
async def test_a_bundle_is_what_the_stix_library_takes(
    store_with_a_near_match: SqlStore, database: Path, choice: str
) -> None:
    bundle = await taken(store_with_a_near_match, database, "stix", **CHOICES[choice])
    # Nothing custom is let pass: extensions have their definition, hashes of other kinds stand in patterns alone.
    parsed = stix2.parse(bundle, allow_custom=False)
    assert isinstance(parsed, stix2.v21.Bundle)
    assert len(parsed.objects) == len(bundle["objects"])
    assert len(of(bundle, "sighting")) == 3


async def test_references_lead_to_objects_of_the_bundle(store: SqlStore, database: Path) -> None:
    bundle = await taken(store, database, "stix", **CHOICES["both"])
    ids = [item["id"] for item in bundle["objects"]]
    assert len(set(ids)) == len(ids)
    found = re.findall(r'"([a-z-]+--[0-9a-f-]{36})"', json.dumps(bundle["objects"]))
    assert set(found) == set(ids)
    # What is referred to stands before what refers to it: a reader can take it as it comes.
    position = {identifier: number for number, identifier in enumerate(ids)}
    for item in bundle["objects"]:
        refers = re.findall(r"[a-z-]+--[0-9a-f-]{36}", json.dumps(item))
        assert max(position[identifier] for identifier in refers) == position[item["id"]]
    assert {uuid.UUID(identifier.partition("--")[2]).version for identifier in ids} <= {4, 5}


async def test_without_addresses_a_bundle_has_no_place(store: SqlStore, database: Path) -> None:
    bundle = await taken(store, database, "stix")
    assert {item["type"] for item in bundle["objects"]} == {
        *("marking-definition", "identity", "extension-definition", "indicator", "sighting")
    }
    text = json.dumps(bundle)
    assert not re.search(r"t\.me|example_one|1500000001|message_id|channel_id", text)
    (indicator,) = of(bundle, "indicator")
    assert (indicator["pattern_type"], indicator["pattern"]) == ("channel-monitor-entry", "partner-a/e1")


async def test_with_addresses_a_sighting_leads_to_the_message(store: SqlStore, database: Path) -> None:
    bundle = await taken(store, database, "stix", **PURPOSE)
    (url,) = of(bundle, "url")
    assert url["value"] == "https://t.me/example_one/1"
    # The id that every producer gives this address.
    assert url["id"] == stix2.v21.URL(value=url["value"]).id
    (observed,) = of(bundle, "observed-data")
    assert observed["object_refs"] == [url["id"]]
    one, other = of(bundle, "sighting")
    assert one["observed_data_refs"] == [observed["id"]]
    assert "observed_data_refs" not in other  # the other channel has no public name
    assert not of(bundle, "file")


async def test_with_hashes_only_an_exact_match_tells_the_hash_of_the_file(
    store_with_a_near_match: SqlStore, database: Path
) -> None:
    bundle = await taken(store_with_a_near_match, database, "stix", **HASHES)
    (file,) = of(bundle, "file")
    assert file["hashes"] == {"MD5": VALUES[Algorithm.MD5]}
    assert file["id"] == stix2.v21.File(hashes=file["hashes"]).id
    patterns = {item["pattern"] for item in of(bundle, "indicator")}
    assert patterns == {
        f"[file:hashes.'MD5' = '{VALUES[Algorithm.MD5]}']",
        f"[file:hashes.'PDQ' = '{VALUES[Algorithm.PDQ]}']",
    }
    for pattern in patterns:
        Pattern(pattern)
    without = json.dumps(await taken(store_with_a_near_match, database, "stix", **PURPOSE))
    assert not any(value in without for value in VALUES.values())


async def test_a_sighting_says_how_close_the_match_is_and_that_nobody_looked(
    store_with_a_near_match: SqlStore, database: Path
) -> None:
    bundle = await taken(store_with_a_near_match, database, "stix")
    (extension,) = of(bundle, "extension-definition")
    near = of(bundle, "sighting")[-1]
    facts = near["extensions"][extension["id"]]
    assert (facts["algorithm"], facts["distance"], facts["threshold"], facts["quality"]) == (
        "pdq",
        12,
        31,
        88,
    )
    assert near["description"] == "Hash match to list partner-a; not viewed by any person here."
    assert near["created"] == "2026-11-01T12:01:30.000Z"


@pytest.mark.parametrize(("choice", "colour"), [("plain", "amber"), ("addresses", "red"), ("hashes", "red")])
async def test_what_must_not_go_further_is_marked_on_each_object(
    store: SqlStore, database: Path, choice: str, colour: str
) -> None:
    bundle = await taken(store, database, "stix", **CHOICES[choice])
    tlp = {
        item["id"]: item["definition"]["tlp"]
        for item in of(bundle, "marking-definition")
        if "tlp" in item["definition"]
    }
    statements = [item for item in of(bundle, "marking-definition") if "statement" in item["definition"]]
    for item in bundle["objects"]:
        if item["type"] in ("sighting", "observed-data", "url", "file"):
            first, *more = item["object_marking_refs"]
            assert tlp[first] == colour
            assert more == [statement["id"] for statement in statements]
    assert [s["definition"]["statement"].endswith("only for: a report") for s in statements] == (
        [] if choice == "plain" else [True]
    )


async def test_ids_are_the_same_in_each_export_and_no_other_operators(
    store: SqlStore, database: Path
) -> None:
    one = await taken(store, database, "stix", name="a", **PURPOSE)
    two = await taken(store, database, "stix", name="b", **PURPOSE | {"at": later(100) + timedelta(days=1)})
    assert one == two
    other = await taken(store, database, "stix", name="c", **PURPOSE | {"names": EntryNames(b"x" * 32)})
    ours, theirs = ({item["id"] for item in bundle["objects"]} for bundle in (one, other))
    # What both share is what the standard names: the two markings and the address.
    assert {identifier.partition("--")[0] for identifier in ours & theirs} == {"marking-definition", "url"}


async def test_a_sighting_is_one_with_or_without_addresses_and_the_fuller_is_the_later(
    store_with_a_near_match: SqlStore, database: Path
) -> None:
    seen = [
        {item["id"]: item["modified"] for item in of(bundle, "sighting")}
        for bundle in [
            await taken(store_with_a_near_match, database, "stix", **CHOICES[choice])
            for choice in ("plain", "hashes", "addresses", "both")
        ]
    ]
    assert len({frozenset(sightings) for sightings in seen}) == 1
    assert len(seen[0]) == 3
    for identifier in seen[0]:
        versions = [sightings[identifier] for sightings in seen]
        assert versions == sorted(set(versions))


async def test_an_object_is_the_same_in_a_longer_export(store: SqlStore, database: Path) -> None:
    before = {item["id"]: item for item in (await taken(store, database, "stix"))["objects"]}
    await store.examined(matched(52, PDQ, at=later(90)))
    after = {item["id"]: item for item in (await taken(store, database, "stix"))["objects"]}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


# -- MISP

TYPES = {
    "Other": {"text", "counter", "datetime", "other"},
    "External analysis": {"url", "md5", "sha1", "sha256"},
}
"""Types that MISP allows in these categories (core format, 2.4.2.3), as far as we use them."""


@pytest.mark.parametrize("choice", CHOICES)
async def test_an_event_has_what_the_core_format_asks_for(
    store_with_a_near_match: SqlStore, database: Path, choice: str
) -> None:
    event = (await taken(store_with_a_near_match, database, "misp", **CHOICES[choice]))["Event"]
    assert {"uuid", "info", "date", "threat_level_id", "analysis", "distribution", "timestamp"} <= set(event)
    assert (event["date"], event["distribution"], event["published"]) == ("2026-11-01", "0", False)
    assert event["Tag"] == [{"name": "tlp:amber" if choice == "plain" else "tlp:red"}]
    assert "no item was viewed by any person" in event["info"]
    assert len(event["Object"]) == 3
    seen = {event["uuid"]}
    for item in event["Object"]:
        assert {"name", "meta-category", "template_uuid", "template_version", "timestamp"} <= set(item)
        assert uuid.UUID(item["uuid"]).version == 5
        for attribute in [item, *item["Attribute"]]:
            assert attribute["uuid"] not in seen
            seen.add(attribute["uuid"])
            assert attribute["distribution"] == "0"
            assert re.fullmatch("[0-9]{10}", attribute["timestamp"])
        for attribute in item["Attribute"]:
            assert attribute["type"] in TYPES[attribute["category"]]
            assert attribute["to_ids"] is False
            assert isinstance(attribute["value"], str)


async def facts(store: SqlStore, database: Path, **more: Any) -> list[dict[str, str]]:
    event = (await taken(store, database, "misp", **more))["Event"]
    return [{a["object_relation"]: a["value"] for a in item["Attribute"]} for item in event["Object"]]


async def test_an_object_holds_what_was_asked_for(store_with_a_near_match: SqlStore, database: Path) -> None:
    exact, _, near = await facts(store_with_a_near_match, database)
    assert not {"link", "hash"} & (set(exact) | set(near))
    assert exact["entry_hmac"] == EntryNames(KEY)("partner-a", "e1")
    assert (near["distance"], near["threshold"], near["posted_at"]) == ("12", "31", "2026-11-01T12:00:02Z")
    exact, unnamed, near = await facts(store_with_a_near_match, database, **CHOICES["both"])
    assert exact["link"] == "https://t.me/example_one/1"
    assert "link" not in unnamed
    assert (exact["hash"], near["hash"]) == (VALUES[Algorithm.MD5], f"pdq:{VALUES[Algorithm.PDQ]}")


# -- both


@pytest.mark.parametrize("kind", ["stix", "misp"])
@pytest.mark.parametrize("what", ["cases", "messages", "channels", "log", "observations"])
async def test_only_flags_fit(store: SqlStore, database: Path, kind: str, what: str) -> None:
    with pytest.raises(InputError, match=f"format {kind}: holds flags alone"):
        await take(store, database, what, kind, database.with_name("out"))


@pytest.mark.parametrize("kind", ["stix", "misp"])
async def test_no_flags_are_a_document_all_the_same(store: SqlStore, database: Path, kind: str) -> None:
    found = await taken(store, database, kind, filters=Filters(until=START))
    if kind == "stix":
        stix2.parse(found, allow_custom=False)
    else:
        assert found["Event"]["Object"] == []


@pytest.mark.parametrize("kind", ["stix", "misp"])
def test_ids_need_names_of_entries(kind: str) -> None:
    with pytest.raises(ValueError, match="names of entries"):
        FORMATS[kind].open(io.BytesIO(), Head("flags", (), START))
