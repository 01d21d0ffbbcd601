"""What every format of hash lists keeps: one contract, a fixture a format (tests/fixtures/lists)."""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.errors import HashListError
from monitor.matching import HashList, encrypt_list, load_lists
from monitor.matching.entries import Entries
from monitor.matching.formats import find_format, format_names
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm, ListAction, Terms
from tests.contract.list_fixture import Fixture, Item, Row, derived

TERMS = Terms("Partner A", "DSA-12", frozenset({"detect"}))
KEY = bytes(range(32))
FIXTURES = Path(__file__).parents[1] / "fixtures" / "lists"
FORMATS = sorted(path.stem for path in FIXTURES.glob("*.py"))
EVERY = pytest.mark.parametrize("format", FORMATS)
often = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def fixture(format: str) -> Fixture:
    found = importlib.import_module(f"tests.fixtures.lists.{format}").FIXTURE
    assert isinstance(found, Fixture)
    return found


def written(folder: Path, data: bytes) -> Path:
    path = folder / "list.dat"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(data)
    return path


def loaded(path: Path, format: str, **changes: Any) -> tuple[HashList, ...]:
    given: dict[str, Any] = {
        "name": "partner-a",
        "format": format,
        "algorithm": fixture(format).algorithm,
        "action": fixture(format).action,
        "terms": TERMS,
    }
    return load_lists(path, **(given | changes))


def rows(lists: tuple[HashList, ...]) -> dict[Algorithm, list[Row]]:
    return {found.version.algorithm: [(e.entry, e.hash.value, e.label) for e in found] for found in lists}


def refusal(path: Path, format: str, **changes: Any) -> str:
    with pytest.raises(HashListError) as caught:
        loaded(path, format, **changes)
    return str(caught.value)


def test_every_format_has_a_fixture() -> None:
    assert tuple(FORMATS) == format_names()


@EVERY
def test_a_file_is_read_as_it_is_meant(tmp_path: Path, format: str) -> None:
    known = fixture(format)
    lists = loaded(written(tmp_path, known.good), format)
    assert rows(lists) == known.holds
    for found in lists:
        assert (dict(found.unusable), found.withdrawn) == (known.unusable, known.withdrawn)
        assert found.version.count == sum(map(len, known.holds.values()))
        assert found.version.version == lists[0].version.version


@EVERY
def test_a_malformed_twin_is_refused_with_its_place(tmp_path: Path, format: str) -> None:
    known = fixture(format)
    path = written(tmp_path, known.broken)
    message = refusal(path, format)
    assert message.startswith(f"{path}: 1 bad ")
    assert f"nothing was loaded: {known.where}: not the " in message


@EVERY
def test_one_algorithm_can_be_asked_for(tmp_path: Path, format: str) -> None:
    known = fixture(format)
    path = written(tmp_path, known.good)
    for algorithm in known.holds:
        assert rows(loaded(path, format, algorithm=algorithm)) == {algorithm: known.holds[algorithm]}
    if known.withdrawn:
        # Perhaps all of them were: what was in force before must end.
        assert not any(map(len, loaded(path, format, algorithm=Algorithm.DHASH)))
    else:
        assert str(path) in refusal(path, format, algorithm=Algorithm.DHASH)


IDENTIFIERS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
LABELS = st.none() | st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12
)


@st.composite
def items(draw: st.DrawFn, algorithms: tuple[Algorithm, ...]) -> list[Item]:
    entries = draw(st.lists(IDENTIFIERS, min_size=1, max_size=8, unique=True))
    value = {a: st.binary(min_size=a.size, max_size=a.size) for a in algorithms}
    return [Item(entry, {a: draw(value[a]) for a in algorithms}, draw(LABELS)) for entry in entries]


@EVERY
@often
@given(data=st.data())
def test_what_is_written_is_read_again(tmp_path: Path, format: str, data: st.DataObject) -> None:
    known = fixture(format)
    written_items = data.draw(items(known.algorithms))
    expected: dict[Algorithm, list[Row]] = {}
    for item in written_items:
        for algorithm, value in item.values.items():
            entry = item.entry if known.names else derived(value)
            if format == "ncmec":
                entry = f"{entry}:{entry}"
            row = (entry, value, item.label if known.labels else None)
            if row not in expected.setdefault(algorithm, []):
                expected[algorithm].append(row)
    assert rows(loaded(written(tmp_path, known.write(written_items)), format)) == expected


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@EVERY
@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("twin", ["good", "broken"])
def test_where_a_block_ends_makes_no_difference(tmp_path: Path, format: str, size: int, twin: str) -> None:
    known, how = fixture(format), find_format(format)
    if not how.streamed:
        return
    data = getattr(known, twin)
    path = written(tmp_path, data)

    def read(blocks: Iterator[bytes]) -> object:
        file = ListFile(path, blocks, datetime.now(UTC), encrypted=False)
        entries = Entries(path, known.algorithm)
        try:
            how.read(file, entries)
            return {
                a: [column.tolist() for column in (c.values, c.names, c.labels)]
                for a, c in entries.finish().items()
            }
        except HashListError as e:
            return str(e)

    assert read(pieces(data, size)) == read(iter([data]))


@EVERY
def test_an_encrypted_file_gives_the_same(tmp_path: Path, format: str) -> None:
    path = written(tmp_path, fixture(format).good)
    encrypt_list(path, tmp_path / "list.dat.sealed", KEY)
    if not find_format(format).streamed:
        assert "cannot be encrypted" in refusal(tmp_path / "list.dat.sealed", format, key=KEY)
        return
    plain, opened = loaded(path, format), loaded(tmp_path / "list.dat.sealed", format, key=KEY)
    assert rows(opened) == rows(plain)
    assert [found.version for found in opened] == [found.version for found in plain]
    assert opened[0].modified == plain[0].modified


NOISE = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from(
            [
                *"{}[],:\"'<>/&;=|\n\r\t \\ue-+.0#*?",
                *(
                    "null",
                    "true",
                    "1e9",
                    '"value"',
                    '"data"',
                    '"objects"',
                    '"Event"',
                    '"Attribute"',
                    "\ufeff",
                ),
                *(
                    "<queryResult>",
                    "<images>",
                    "<image>",
                    "<!DOCTYPE x [",
                    "<![CDATA[",
                    "]]>",
                    "&#0;",
                    "\0",
                    "é",
                ),
                *("ab" * 16, "9" * 5000, "[" * 300, '{"a":' * 300),
            ]
        ),
        max_size=60,
    )
    .map("".join)
    .map(str.encode),
)


@EVERY
@often
@given(noise=NOISE, algorithm=st.sampled_from([None, *Algorithm]))
@example(noise=b"[" * 1_000_000, algorithm=None)
@example(noise=b'{"a":' * 200_000, algorithm=None)
def test_noise_is_a_list_or_an_error(
    tmp_path: Path, format: str, noise: bytes, algorithm: Algorithm | None
) -> None:
    path = written(tmp_path, noise)
    try:
        lists = loaded(path, format, algorithm=algorithm)
    except HashListError as e:
        assert str(path) in str(e)
    else:
        assert all(len(entry.entry) <= 64 for found in lists for entry in found)


@EVERY
@settings(often, max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_a_list_or_an_error(tmp_path: Path, format: str, data: st.DataObject) -> None:
    good = fixture(format).good
    start = data.draw(st.integers(0, len(good)), "start")
    end = start + data.draw(st.integers(0, 40), "length")
    other = data.draw(st.binary(max_size=8) | st.just(good[end : end + 200]), "instead")
    path = written(tmp_path, good[:start] + other + good[end:])
    try:
        lists = loaded(path, format)
    except HashListError as e:
        assert str(path) in str(e)
    else:
        # A list that is kept here may be empty.
        assert format == "local" or all(len(found) for found in lists)


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(HashListError, match=r"the format must be one of csv, local, misp, ncmec,"):
        load_lists(tmp_path / "x", name="a", format="../csv", action=ListAction.FLAG, terms=TERMS)
