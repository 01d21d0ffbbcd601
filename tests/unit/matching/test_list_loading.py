"""What is true of every list, whatever its format: terms, labels, times, withdrawals, size."""

import csv
import hashlib
import io
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import HashListError
from monitor.matching import HashList, ListMatcher, load_list, load_lists
from monitor.matching.entries import Entries
from monitor.matching.lines import batches
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm, Category, Hash, ListAction, MediaHashes, Provenance, Terms

TERMS = Terms("Partner A", "DSA-12", frozenset({"detect"}))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def written(folder: Path, data: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.touch(0o600)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def loaded(path: Path, format: str = "csv", **changes: Any) -> tuple[HashList, ...]:
    given: dict[str, Any] = {"name": "partner-a", "action": ListAction.FLAG, "terms": TERMS}
    return load_lists(path, format=format, **(given | changes))


def refusal(path: Path, format: str = "csv", **changes: Any) -> str:
    with pytest.raises(HashListError) as caught:
        loaded(path, format, **changes)
    return str(caught.value)


def digits(seed: int, size: int = 16) -> str:
    return random.Random(seed).randbytes(size).hex()


# -- what is declared


def test_a_list_that_may_not_be_used_to_detect_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"md5\n{digits(1)}\n")
    only_report = Terms("Partner A", "DSA-12", frozenset({"report"}))
    assert "do not permit to detect" in refusal(path, terms=only_report)


def test_known_good_files_are_only_ignored(tmp_path: Path) -> None:
    assert "declare action: ignore" in refusal(written(tmp_path, "x"), "nsrl")


def test_a_label_means_what_the_configuration_says(tmp_path: Path) -> None:
    text = "md5,label\n" + "".join(f"{digits(n)},{label}\n" for n, label in enumerate(["A1", "B2", ""]))
    (found,) = loaded(written(tmp_path, text), categories={"A1": Category.CHILD})
    assert [found.label(n) for n in range(3)] == ["A1", "B2", None]
    assert [found.category(n) for n in range(3)] == [Category.CHILD, None, None]


def test_of_several_labels_the_one_that_is_mapped_is_kept(tmp_path: Path) -> None:
    record = {"id": "1", "type": "HASH_MD5", "indicator": digits(1), "tags": ["x" * 65, "tlp:red", "known"]}
    path = written(tmp_path, json.dumps([record]))
    assert loaded(path, "threatexchange")[0].label(0) == "tlp:red"
    mapped = {"known": Category.TERRORISM}
    assert loaded(path, "threatexchange", categories=mapped)[0].label(0) == "known"


def test_provenance_and_the_end_of_the_terms_are_the_versions(tmp_path: Path) -> None:
    path = written(tmp_path, f"md5\n{digits(1)}\n")
    (found,) = loaded(path, provenance=Provenance.CPP_512, expires=NOW)
    assert (found.version.provenance, found.version.expires) == (Provenance.CPP_512, NOW)


def test_a_list_is_stale_by_its_format_or_by_what_is_declared(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps([{"signalType": "VideoMD5", "hashValue": digits(1)}]))
    (found,) = loaded(path, "stopncii")
    assert found.modified == datetime.fromtimestamp(path.stat().st_mtime, UTC)
    assert found.stale_at == found.modified + timedelta(days=30)
    assert loaded(path, "stopncii", stale_after=7)[0].stale_at == found.modified + timedelta(days=7)
    assert loaded(written(tmp_path, f"md5\n{digits(1)}\n"))[0].stale_at is None


def test_a_manifest_is_asked(tmp_path: Path) -> None:
    text = f"md5\n{digits(1)}\n"
    path, manifest = written(tmp_path, text), tmp_path / "SHA256SUMS"
    manifest.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  list.csv\n")
    assert len(loaded(path, manifest=manifest)) == 1
    path.write_text(text + "\n")
    assert "is not the file that" in refusal(path, manifest=manifest)


def test_a_table_that_does_not_say_what_its_hashes_are_needs_an_algorithm(tmp_path: Path) -> None:
    for format, text in (("csv", "hash,entry\n"), ("csv", digits(1)), ("text", digits(1))):
        assert "declare its algorithm" in refusal(written(tmp_path, text), format)


# -- several algorithms


def test_a_file_with_several_algorithms_is_as_many_lists_of_one_version(tmp_path: Path) -> None:
    text = f"entry,md5,pdq\ne-1,{digits(1)},{digits(2, 32)}\ne-2,{digits(3)},\n"
    md5, pdq = loaded(written(tmp_path, text))
    assert (len(md5), len(pdq)) == (2, 1)
    assert md5.version.version == pdq.version.version == f"3-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    matcher = ListMatcher([md5, pdq])
    ours = Hash(Algorithm.MD5, bytes.fromhex(digits(3))), Hash(Algorithm.PDQ, bytes.fromhex(digits(2, 32)))
    assert [match.entry for match in matcher.match(MediaHashes(ours, quality=90))] == ["e-2", "e-1"]
    with pytest.raises(HashListError, match="two hash lists are named partner-a"):
        ListMatcher([md5, md5])


def test_limits_are_those_of_the_algorithm(tmp_path: Path) -> None:
    path = written(tmp_path, f"entry,md5,pdq\ne-1,{digits(1)},{digits(2, 32)}\n")
    md5, pdq = loaded(path, limits={Algorithm.PDQ: (20, 70)})
    assert (md5.version.max_distance, pdq.version.max_distance, pdq.version.min_quality) == (0, 20, 70)
    assert "within 0 and 256 bits" in refusal(path, limits={Algorithm.PDQ: (257, None)})


def test_bad_lines_of_several_algorithms_come_in_order(tmp_path: Path) -> None:
    lines = [f"{digits(1)},{digits(2, 32)}"] * 8
    for number in (3, 4, 5, 6, 7):
        lines[number - 2] = f"x,{digits(2, 32)}" if number % 2 else f"{digits(1)},x"
    message = refusal(written(tmp_path, "md5,pdq\n" + "\n".join(lines)))
    assert [part.split(":")[0] for part in message.split("; ")][1:] == [
        "line 4",
        "line 5",
        "line 6",
        "line 7",
    ]


def test_an_entry_is_one_word_whatever_joins_many(tmp_path: Path) -> None:
    entries = Entries(tmp_path, None)
    assert not entries.add_all(Algorithm.MD5, [digits(1)], ["a\nb"], [])
    assert entries.add_all(Algorithm.MD5, [digits(1)], ["a"], [])


# -- what the file withdraws


def te(number: int, *, delete: bool = False, value: str | None = None) -> str:
    return json.dumps(
        {"id": number, "type": "HASH_MD5", "indicator": value or digits(number), "should_delete": delete}
    )


def test_what_is_withdrawn_is_gone_until_it_comes_again(tmp_path: Path) -> None:
    records = [te(1), te(1), te(2), te(1, delete=True), te(3), te(3, delete=True), te(3), te(4, delete=True)]
    (found,) = loaded(written(tmp_path, "\n".join(f"[{record}]" for record in records)), "threatexchange")
    assert [entry.entry for entry in found] == ["2", "3"]
    assert found.withdrawn == 3


def test_a_withdrawal_reaches_far_back(tmp_path: Path) -> None:
    records = [te(n) for n in range(9000)] + [te(n, delete=True) for n in range(0, 9000, 3)]
    (found,) = loaded(written(tmp_path, f"[{','.join(records)}]"), "threatexchange")
    assert [int(entry.entry) for entry in found] == [n for n in range(9000) if n % 3]


def test_a_file_in_which_all_is_withdrawn_is_an_empty_list_and_no_error(tmp_path: Path) -> None:
    path = written(tmp_path, f"[{te(1)}, {te(1, delete=True)}]")
    assert loaded(path, "threatexchange") == ()
    empty = load_list(
        path,
        name="partner-a",
        format="threatexchange",
        algorithm=Algorithm.MD5,
        action=ListAction.FLAG,
        terms=TERMS,
    )
    assert (len(empty), empty.withdrawn, empty.version.count) == (0, 1, 0)
    assert ListMatcher([empty]).match(MediaHashes((Hash(Algorithm.MD5, bytes(16)),))) == ()


def test_a_list_says_which_entries_it_holds(tmp_path: Path) -> None:
    named = written(tmp_path, f"md5,entry\n{digits(1)},one\n{digits(2)},\n")
    found = load_list(
        named, name="a", format="csv", algorithm=Algorithm.MD5, action=ListAction.FLAG, terms=TERMS
    )
    derived = found.entry(1)
    assert found.find(["one", "two", derived, "0" * 16]) == {"one": None, derived: None}
    assert found.find([]) == {}


def test_a_file_with_nothing_that_can_be_compared_says_what_it_holds(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"value": [{"MediaID": 1, "PhotoDNA": "a1"}] * 3}))
    assert "no entry that can be compared here; kept aside: 3 PhotoDNA" in refusal(path, "vics")


# -- hostile files


def test_a_document_type_is_refused_before_any_entity_grows(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "x" * 100}">\n' for n in range(20))
    text = f'<?xml version="1.0"?>\n<!DOCTYPE q [\n{bomb}]>\n<queryResult>&e19;</queryResult>'
    assert "line 2: declares a document type" in refusal(written(tmp_path, text), "ncmec")
    outside = '<!DOCTYPE q SYSTEM "file:///etc/passwd"><queryResult/>'
    assert "declares a document type" in refusal(written(tmp_path, outside), "ncmec")


def test_what_does_not_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    endless = "x" * 10_000_000
    assert "a record of more than" in refusal(written(tmp_path, f'{{"value": ["{endless}'), "vics")
    assert "a tag that does not end" in refusal(written(tmp_path, f"<queryResult><!-- {endless}"), "ncmec")
    assert "line 1 is longer than" in refusal(written(tmp_path, endless), "text", algorithm=Algorithm.MD5)


def test_an_error_names_the_line_of_json_that_is_none(tmp_path: Path) -> None:
    lines = ['{"value": [', '{"MediaID": 1,', f'"MD5": "{digits(1)}"}},', "oops"]
    assert "line 4: is not JSON here" in refusal(written(tmp_path, "\n".join(lines)), "vics")
    assert "line 2: is not UTF-8" in refusal(written(tmp_path, b'{"value": [\n"\xff"]}'), "vics")


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    blocks = iter([b"x" * 100_000] * 50)
    with pytest.raises(HashListError, match="line 1 is longer than"):
        list(batches(ListFile(tmp_path, blocks, NOW, encrypted=False)))
    assert len(list(blocks)) == 49


# -- the fast way and the slow way


CELLS = st.sampled_from(
    [
        digits(1),
        digits(2),
        digits(3),
        digits(1).upper(),
        "e-1",
        "e-2",
        "",
        " ",
        "A1",
        "é",
        '"A1"',
        f" {digits(4)}",
    ]
)
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=12)


def by_the_book(text: str) -> list[tuple[str, str, str]] | None:
    """What a table holds, read cell by cell; None when a line is bad."""
    found: list[tuple[str, str, str]] = []
    for line in text.split("\n")[1:]:
        if not line.strip():
            continue
        cells = [cell.strip() for cell in next(csv.reader(io.StringIO(line), strict=True))]
        value, entry, label = (cells[n] if n < len(cells) else "" for n in range(3))
        try:
            raw = bytes.fromhex(value) if " " not in value else b""
        except ValueError:
            return None
        if len(raw) != 16 or entry not in (
            "",
            "e-1",
            "e-2",
            digits(1),
            digits(2),
            digits(3),
            digits(4),
            "A1",
            digits(1).upper(),
        ):
            return None
        row = (raw.hex(), entry or hashlib.sha256(raw).hexdigest()[:16], label)
        if row[:2] not in [known[:2] for known in found]:
            found.append(row)
    return found or None


@settings(
    derandomize=True,
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_a_table_is_read_as_cell_by_cell(tmp_path: Path, lines: list[str], end: str) -> None:
    text = "\n".join(["md5,entry,label", *lines])
    path = written(tmp_path, text.replace("\n", end))
    expected = by_the_book(text)
    if expected is None:
        assert refusal(path)
    else:
        (found,) = loaded(path)
        assert [(e.hash.value.hex(), e.entry, e.label or "") for e in found] == expected


def test_one_unusual_line_among_thousands_changes_nothing_else(tmp_path: Path) -> None:
    lines = [f"{digits(n)},e-{n},A{n % 3}" for n in range(20_000)]
    text = "md5,entry,label\n" + "\n".join(lines)
    (plain,) = loaded(written(tmp_path, text))
    unusual = text.replace(f"{digits(9000)},e-9000", f'{digits(9000).upper()}, "e-9000"'.replace(' "', '"'))
    (quoted,) = loaded(written(tmp_path, unusual))
    (spaced,) = loaded(written(tmp_path, text.replace("e-9000,", " e-9000 ,")))
    assert list(plain) == list(quoted) == list(spaced)
    lines[17_000] = "x"
    assert "1 bad line, nothing was loaded: line 17002: " in refusal(
        written(tmp_path, "md5\n" + "\n".join(lines))
    )


def test_a_quote_does_not_hide_the_line_behind_it(tmp_path: Path) -> None:
    lines = ["md5,entry,note", f'{digits(1)},e-1,"x', f'{digits(2)},e-2,y"', f"{digits(3)},e-3,z"]
    message = refusal(written(tmp_path, "\n".join(lines)))
    assert message.endswith("1 bad line, nothing was loaded: line 2: quotes that do not match")


@pytest.mark.parametrize("copies", [2, 5])
def test_pairs_count_once_wherever_they_stand(tmp_path: Path, copies: int) -> None:
    lines = [f"{digits(n % 3000)},e-{n % 7}" for n in range(30_000)] * copies
    random.Random(5).shuffle(lines)
    (found,) = loaded(written(tmp_path, "md5,entry\n" + "\n".join(lines)))
    assert [f"{e.hash.value.hex()},{e.entry}" for e in found] == list(dict.fromkeys(lines))


def test_an_identifier_that_is_derived_and_one_that_is_named_are_the_same(tmp_path: Path) -> None:
    named = hashlib.sha256(bytes.fromhex(digits(1))).hexdigest()[:16]
    (found,) = loaded(written(tmp_path, f"md5,entry\n{digits(1)},\n{digits(1)},{named}\n{digits(1)},e\n"))
    assert [entry.entry for entry in found] == [named, "e"]
