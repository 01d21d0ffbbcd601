"""Each exchange's protocol through the real client: pages, changes, withdrawals, trouble. Nothing missed or doubled."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import exchange
from monitor.errors import ConfigError, HashListError, InputError, MonitorError, SourceUnavailable
from monitor.exchange import Fetched, Row, in_force, standing
from monitor.exchange.keeping import open_kept
from monitor.model import Algorithm
from tests.e2e.exchange.servers import KINDS, PAGE, Ncmec, Server, StopNcii, ThreatExchange, served, value

# The clients are an extra, and bring what has to be built.
pytestmark = pytest.mark.prove


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the process of a fetch has it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lists" / "one.db"


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with served(request.param) as found:
        yield found


def later(**ahead: float) -> datetime:
    return datetime.now(UTC) + timedelta(**ahead)


def fetch(server: Server, path: Path, **ahead: float) -> Fetched:
    return exchange.fetch(path, server.access(), lambda: later(**ahead))


def rows(path: Path) -> list[Row]:
    found: list[Row] = []
    stands = in_force(path, found.append)
    assert stands is not None
    assert stands.count == len(found) == len(set(found))
    return found


def listed(path: Path) -> set[bytes]:
    values = [row[2] for row in rows(path)]
    assert len(values) == len(set(values))
    return set(values)


def pdqs(*numbers: int) -> set[bytes]:
    return {value(number) for number in numbers}


def test_everything_is_fetched_page_by_page_and_then_only_what_has_changed(
    server: Server, path: Path
) -> None:
    server.put(*range(20))
    first = fetch(server, path)
    assert (first.added, first.withdrawn, first.changed) == (20, 0, True)
    assert listed(path) == pdqs(*range(20))
    assert len(server.asked) == 7
    server.time_passes()
    server.put(20, 21)
    server.withdraw(3)
    server.asked.clear()
    second = fetch(server, path)
    assert (second.added, second.withdrawn, second.standing.count) == (2, 1, 21)
    assert listed(path) == pdqs(*range(22)) - pdqs(3)
    assert len(server.asked) <= 2
    third = fetch(server, path)
    assert (third.added, third.withdrawn, third.changed) == (0, 0, False)
    assert third.standing.version == second.standing.version


def test_a_withdrawn_hash_is_on_the_disk_no_more_and_its_entry_on_record(server: Server, path: Path) -> None:
    server.put(*range(5))
    fetch(server, path)
    server.time_passes()
    before = {row[2]: row[0] for row in rows(path)}
    server.withdraw(2)
    fetch(server, path)
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert value(1) in kept
    assert value(2) not in kept
    with closing(sqlite3.connect(path)) as database:
        ((entry, algorithm),) = database.execute("SELECT entry, algorithm FROM withdrawn").fetchall()
    assert (entry, algorithm) == (before[value(2)], "pdq")
    assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (500, SourceUnavailable),
        (429, SourceUnavailable),
        ("cut", SourceUnavailable),
        (403, ConfigError),
        (401, ConfigError),
        (404, HashListError),
        ("malformed", HashListError),
    ],
)
def test_trouble_in_the_middle_changes_nothing_and_what_had_come_is_not_asked_for_again(
    server: Server, path: Path, trouble: int | str, error: type[MonitorError]
) -> None:
    server.put(*range(4))
    fetch(server, path)
    version = standing(path).version  # type: ignore[union-attr]
    server.time_passes()
    server.put(*range(4, 20))
    server.withdraw(0)
    server.troubles.extend([None, None, *[trouble] * 8])
    with pytest.raises(error) as caught:
        fetch(server, path)
    assert "127.0.0.1" not in str(caught.value)
    stands = standing(path)
    assert stands is not None
    assert stands.version == version
    assert stands.failing_since is not None
    assert listed(path) == pdqs(*range(4))
    server.troubles.clear()
    server.asked.clear()
    fetch(server, path)
    assert listed(path) == pdqs(*range(1, 20))
    stands = standing(path)
    assert stands is not None
    assert (stands.failing_since, stands.trouble) == (None, None)
    # Sixteen new and one withdrawn are six pages, of which two had come; some ask for a little more.
    assert len(server.asked) <= 5


def test_a_passing_failure_is_not_noticed(server: Server, path: Path) -> None:
    server.put(*range(10))
    server.troubles.extend([503, None, 502, None, 500])
    fetch(server, path)
    assert listed(path) == pdqs(*range(10))


def test_an_exchange_that_has_forgotten_where_we_were_is_asked_from_the_checkpoint(
    server: Server, path: Path
) -> None:
    server.put(*range(20))
    server.troubles.extend([None, None, *[500] * 8])
    with pytest.raises(SourceUnavailable):
        fetch(server, path)
    server.troubles.clear()
    server.troubles.append(400)
    fetch(server, path)
    assert listed(path) == pdqs(*range(20))


def test_a_position_of_yesterday_does_not_count(server: Server, path: Path) -> None:
    server.put(*range(20))
    server.troubles.extend([None, None, *[500] * 8])
    with pytest.raises(SourceUnavailable):
        fetch(server, path)
    server.troubles.clear()
    server.asked.clear()
    fetch(server, path, hours=25)
    assert len(server.asked) == 7
    assert listed(path) == pdqs(*range(20))


def test_hashes_that_cannot_be_used_are_counted_and_neither_kept_nor_logged(
    server: Server, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = "zz" + value(7).hex()[2:]
    closed = value(9).hex() * 3
    server.put(1, 2)
    server.put(3, **{server.picture: bad})
    server.put(4, **{server.closed: closed})
    fetched = fetch(server, path)
    assert fetched.standing.count == 3
    assert dict(fetched.standing.unusable)["invalid"] == 1
    assert server.closed.lower() in dict(fetched.standing.unusable)
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert bytes.fromhex(closed)[:16] not in kept and closed.encode() not in kept
    assert bad.encode() not in kept
    assert bad not in caplog.text


def test_an_entry_that_comes_back_is_in_force_again(server: Server, path: Path) -> None:
    server.put(*range(3))
    fetch(server, path)
    server.time_passes()
    server.withdraw(1)
    fetch(server, path)
    server.time_passes()
    entry = next(entry for entry in server.entries if entry.number == 1)
    entry.gone, entry.changed = False, server.clock + 1
    again = fetch(server, path)
    assert (again.added, again.withdrawn) == (1, 0)
    assert listed(path) == pdqs(0, 1, 2)
    assert (again.standing.added, again.standing.withdrawn) == (4, 1)


@pytest.mark.parametrize(("kind", "days"), [("stopncii", 31), ("threatexchange", 86)])
def test_a_stale_list_is_fetched_whole_and_loses_what_was_withdrawn_meanwhile(
    path: Path, kind: str, days: int
) -> None:
    with served(kind) as server:
        server.put(*range(8))
        fetch(server, path)
        server.forget(5)
        fetch(server, path, days=days - 2)
        assert value(5) in listed(path), "an exchange does not tell of it any more"
        fetch(server, path, days=2 * days)
        assert listed(path) == pdqs(*range(8)) - pdqs(5)


def test_an_empty_answer_to_a_whole_fetch_is_not_believed(path: Path) -> None:
    with served("stopncii") as server:
        server.put(*range(8))
        fetch(server, path)
        server.entries.clear()
        with pytest.raises(HashListError, match="empty list"):
            fetch(server, path, days=31)
        assert listed(path) == pdqs(*range(8))


def test_another_address_is_another_list(path: Path) -> None:
    with served("tat") as server:
        server.put(*range(5))
        fetch(server, path)
    with served("tat") as other:
        other.put(*range(4, 8))
        changed = fetch(other, path)
        assert (changed.added, changed.withdrawn) == (3, 4), "one is on both"
        assert listed(path) == pdqs(4, 5, 6, 7)


def test_two_processes_do_not_fetch_one_list(path: Path) -> None:
    with served("tat") as server, open_kept(path, server.access().source):
        with pytest.raises(InputError, match="another process"):
            fetch(server, path)


def test_ncmecs_pictures_have_their_digests_and_films_no_pdq(path: Path) -> None:
    with served("ncmec") as server:
        digests = {a.value: value(1, a).hex() for a in (Algorithm.MD5, Algorithm.SHA1)}
        server.put(1, **digests)
        fetch(server, path)
        assert {(row[1], row[2]) for row in rows(path)} == {
            ("pdq", value(1)),
            ("md5", value(1, Algorithm.MD5)),
            ("sha1", value(1, Algorithm.SHA1)),
        }
        assert {(row[0], row[3]) for row in rows(path)} == {("42-image1", "A1")}


def test_ncmec_is_asked_for_smaller_ranges_where_a_large_one_is_too_much(path: Path) -> None:
    with served("ncmec") as server:
        assert isinstance(server, Ncmec)
        server.put(*range(10))
        server.widest = 200 * 86400
        fetch(server, path)
        assert listed(path) == pdqs(*range(10))
        assert len(server.asked) < 200


def test_a_case_withdrawn_by_the_person_shown_is_withdrawn_whatever_the_record_says(path: Path) -> None:
    class Inconsistent(StopNcii):
        def _records(self, entry):  # type: ignore[no-untyped-def]
            for record in super()._records(entry):
                cases = {"case-1": record["hashStatus"], "case-2": record["hashStatus"]}
                yield record | {"hashStatus": "Active", "caseNumbers": cases}

    KINDS["inconsistent"] = Inconsistent
    try:
        with served("inconsistent") as server:
            server.put(1, 2)
            fetch(server, path)
            server.withdraw(1)
            fetch(server, path)
            assert listed(path) == pdqs(2)
    finally:
        del KINDS["inconsistent"]


def test_a_stopncii_record_that_is_not_understood_is_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served("stopncii") as server:
        server.put(*range(4))
        server.put(9, Hologram=value(9).hex())
        fetched = fetch(server, path)
        assert fetched.standing.unread == 1
        assert listed(path) == pdqs(0, 1, 2, 3, 9)
        server.put(*range(20, 23))
        assert fetch(server, path).standing.unread >= 1


def test_what_everyone_calls_harmless_is_not_in_force(path: Path) -> None:
    class Opinions(ThreatExchange):
        def _updates(self, entry):  # type: ignore[no-untyped-def]
            for update in super()._updates(entry):
                harmless = {"id": "1", "owner": {"id": "4"}, "status": "NON_MALICIOUS", "tags": None}
                if entry.number == 1:
                    update["descriptors"]["data"] = [harmless]
                elif entry.number == 2:
                    update["descriptors"]["data"].append(harmless)
                elif entry.number == 3:
                    del update["descriptors"]
                yield update

    KINDS["opinions"] = Opinions
    try:
        with served("opinions") as server:
            server.put(1, 2, 3)
            fetch(server, path)
            assert listed(path) == pdqs(2)
    finally:
        del KINDS["opinions"]


@pytest.mark.parametrize("kind", ["ncmec", "threatexchange"])
def test_an_answer_leads_to_no_other_host(path: Path, kind: str) -> None:
    with served(kind) as server, served(kind) as other:
        server.put(*range(PAGE + 1))
        other.put(*range(50, 55))
        answer = server.answer

        def elsewhere(*asked: object) -> str:
            return (
                answer(*asked)
                .replace(f"{server.url}/77", f"{other.url}/77")
                .replace(  # type: ignore[arg-type]
                    "<next>/", f"<next>@{other.url.removeprefix('http://')}/"
                )
            )

        server.answer = elsewhere  # type: ignore[method-assign,assignment]
        with pytest.raises(HashListError, match="another host"):
            fetch(server, path)
        assert other.asked == []


def test_a_damaged_file_is_refused_and_says_what_to_do(path: Path) -> None:
    with served("tat") as server:
        server.put(1, 2)
        fetch(server, path)
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE entries SET value = ? WHERE value = ?", (value(3), value(1)))
            database.commit()
        with pytest.raises(HashListError, match="remove it and fetch anew"):
            in_force(path, list[Row]().append)
        path.write_bytes(b"no database" * 100)
        for look in (rows, standing, lambda p: fetch(server, p)):
            with pytest.raises(HashListError, match="remove it and fetch anew"):
                look(path)
