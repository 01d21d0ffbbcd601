"""A fetch in its own process: confined, killed in the middle, asked by command, and beside a running daemon."""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor import cord, exchange
from monitor.config import load
from monitor.confinement import available
from monitor.exchange_lists import concerns
from monitor.exchange_schedule import Schedule
from monitor.testdc import Cluster
from tests.e2e.exchange.servers import KINDS, Server, served, value
from tests.e2e.site import Site, lines
from tests.e2e.test_collecting import Bench

# The clients are an extra, and bring what has to be built.
pytestmark = pytest.mark.prove

TERMS = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
PATIENCE = 90.0
"""Seconds: other tests share the machine."""
SECRETS = ("password", "subscription_key", "function_key", "token")


def declared(folder: Path, server: Server, name: str = "one", **more: Any) -> dict[str, Any]:
    """An exchange of a configuration, its secrets in files."""
    settings: dict[str, Any] = {"name": name} | server.settings() | more
    for key in SECRETS:
        if key in settings:
            path = folder / f"{name}.{key}"
            path.write_text(settings[key])
            path.chmod(0o600)
            settings[key] = {"file": path.name}
    return settings


def configured(folder: Path, *servers: Server, **more: Any) -> Site:
    place = Site(folder)
    place.write(
        exchanges=[declared(folder, server, f"x{number}", **more) for number, server in enumerate(servers)],
        hash_lists=[{"name": "pictures", "exchange": "x0", "algorithm": "pdq", "terms": TERMS}],
    )
    return place


def kept(place: Site, name: str = "x0") -> set[bytes]:
    found: list[exchange.Row] = []
    exchange.in_force(place.folder / "state" / "lists" / f"{name}.db", found.append)
    return {row[2] for row in found}


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with served(request.param) as found:
        yield found


def test_a_fetch_that_is_killed_in_the_middle_misses_and_doubles_nothing(
    server: Server, tmp_path: Path
) -> None:
    server.put(*range(20))
    server.troubles.extend([None, None, None, "hold"])
    place = configured(tmp_path, server)
    command = [sys.executable, "-m", "monitor", "lists", "update", "--config", str(place.config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as first:
        assert server.holding.wait(PATIENCE)
        assert kept(place) == set(), "half a list is none"
        first.kill()
    server.held.set()
    server.asked.clear()
    # The fetch ends with the command that started it: nobody else writes the file.
    deadline = 0
    while (done := place.monitor("lists", "update", "--json")).returncode == 2 and deadline < 50:
        assert "another process" in done.stderr
        deadline += 1
    assert done.returncode == 0, done.stderr
    (row,) = lines(done.stdout)
    assert (row["exchange"], row["added"], row["withdrawn"], row["in_force"]) == ("x0", 20, 0, 20)
    assert kept(place) == {value(number) for number in range(20)}
    assert len(server.asked) <= 6, "seven pages, of which three had come"


def test_the_table_says_what_was_added_and_withdrawn(server: Server, tmp_path: Path) -> None:
    server.put(*range(4))
    server.put(4, **{server.closed: "ab" * 40})
    place = configured(tmp_path, server)
    assert place.monitor("lists", "update").returncode == 0
    server.time_passes()
    server.put(7)
    server.withdraw(2)
    done = place.monitor("lists", "update", "x0")
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()
    assert heading.split("  ")[0] == "exchange"
    assert row.split()[:4] == ["x0", "1", "1", "5"]
    assert server.closed.lower() in row
    assert kept(place) == {value(number) for number in (0, 1, 3, 4, 7)}


def test_ncmec_is_asked_in_utc_wherever_the_machine_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    with served("ncmec") as server:
        server.time_passes()
        server.put(1, 2)
        place = configured(tmp_path, server)
        assert place.monitor("lists", "update").returncode == 0
        assert kept(place) == {value(1), value(2)}
        asked = parse_qs(urlsplit(server.asked[0]).query)["to"][0]
        until = datetime.strptime(asked, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - until) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        (403, 2, "refuses these credentials"),
        ("cut", 3, "cannot be reached"),
        ("malformed", 2, "stays as it is"),
    ],
)
def test_what_goes_wrong_has_its_exit_code_and_is_in_the_status(
    server: Server, tmp_path: Path, trouble: int | str, code: int, said: str
) -> None:
    server.put(1, 2)
    server.troubles.extend([trouble] * 8)
    place = configured(tmp_path, server)
    done = place.monitor("lists", "update")
    assert done.returncode == code
    assert said in done.stderr
    assert "x0" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    said_later = concerns(load(place.config), datetime.now(UTC))
    assert [line.split(":")[0] for line in said_later] == ["exchange x0"] * 2
    assert "nothing was fetched yet" in said_later[0]
    server.troubles.clear()
    assert place.monitor("lists", "update").returncode == 0
    assert concerns(load(place.config), datetime.now(UTC)) == []
    assert "not fetched since" in concerns(load(place.config), datetime.now(UTC) + timedelta(hours=4))[0]


def test_one_exchange_that_does_not_answer_keeps_no_other_from_being_asked(tmp_path: Path) -> None:
    with served("tat") as good, served("stopncii") as bad:
        good.put(1)
        bad.troubles.extend([500] * 8)
        place = configured(tmp_path, bad, good)
        done = place.monitor("lists", "update", "--json")
        assert done.returncode == 3
        assert [row["exchange"] for row in lines(done.stdout)] == ["x1"]
        unknown = place.monitor("lists", "update", "x7")
        assert (unknown.returncode, "there are x0, x1" in unknown.stderr) == (2, True)


def test_no_hash_and_no_token_is_in_any_line(server: Server, tmp_path: Path) -> None:
    bad = "zz" + value(7).hex()[2:]
    server.put(3, **{server.picture: bad})
    server.put(1, 2, **{server.closed: "cd" * 40, "Hologram": "ef" * 40})
    server.troubles.extend([500])
    place = configured(tmp_path, server)
    done = place.monitor("lists", "update")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for secret in (bad, "cd" * 40, "ef" * 40, value(1).hex(), "secret", "t0ken"):
        assert secret not in done.stdout


@pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp here")
def test_the_process_writes_nowhere_else_and_reaches_no_other_port(tmp_path: Path) -> None:
    """Tried from inside: in place of a fetch, a list of attempts."""
    with served("tat") as server, served("tat") as other:
        place = configured(tmp_path, server)
        (tmp_path / "state" / "lists").mkdir(parents=True, mode=0o700)
        tried = f"""
import os, socket, sys
from pathlib import Path
from monitor import exchange, exchange_process
def attempts(path, access, now):
    def tells(what, act):
        try:
            act()
            print(what, "done", file=sys.stderr)
        except OSError as e:
            print(what, e.errno, file=sys.stderr)
    tells("inside", lambda: path.with_name("in").write_text("x"))
    tells("outside", lambda: Path({str(tmp_path / "out")!r}).write_text("x"))
    tells("state", lambda: Path({str(tmp_path / "state" / "out")!r}).write_text("x"))
    tells("home", lambda: socket.create_connection(("127.0.0.1", {server.url.rsplit(":", 1)[1]})).close())
    tells("abroad", lambda: socket.socket().connect(("127.0.0.1", {other.url.rsplit(":", 1)[1]})))
    tells("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
    raise SystemExit(7)
exchange.fetch = attempts
sys.exit(exchange_process.main([{str(place.config)!r}, "20", "x0", str(os.getppid())]))
"""
        done = subprocess.run(
            [sys.executable, "-c", tried],
            input=cord.packed(load(place.config)),
            capture_output=True,
            timeout=60,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        said = dict(line.split() for line in done.stderr.decode().splitlines())
        assert done.returncode == 7, done.stderr
        assert said["inside"] == said["home"] == "done"
        assert {said[what] for what in ("outside", "state", "udp")} == {"13"}
        assert said["abroad"] == "13" or (available().landlock or 0) < 4
        assert not (tmp_path / "out").exists()


async def test_a_schedule_asks_at_once_then_every_so_often_and_notices_other_fetches(tmp_path: Path) -> None:
    with served("tat") as server:
        server.put(1)
        place = configured(tmp_path, server, every="10s")
        config = load(place.config)
        changed = asyncio.Event()
        schedule = Schedule(changed, random.Random(1))
        schedule.opening(config)
        await schedule.follow(config)
        try:
            async with asyncio.timeout(PATIENCE):
                await changed.wait()
                assert kept(place) == {value(1)}
                schedule.opening(config)
                assert not changed.is_set()
                server.time_passes()
                server.put(2)
                await changed.wait()
                assert kept(place) == {value(1), value(2)}
                # Fetched by somebody else.
                schedule.opening(config)
                server.withdraw(1)
                done = await asyncio.to_thread(place.monitor, "lists", "update")
                assert done.returncode in (0, 2), done.stderr
                await changed.wait()
                assert kept(place) == {value(2)}
        finally:
            await schedule.end()


async def test_an_entry_withdrawn_at_the_exchange_flags_nothing_any_more(tmp_path: Path) -> None:
    """While the daemon runs: nothing is restarted, reloaded or lost."""
    with served("ncmec") as server:
        # A post that is made while a collector starts may wait for the next post, or the next reconciliation.
        bench = Bench(tmp_path, reconcile_every="10s")
        listed, other = random.Random(3).randbytes(5000), random.Random(4).randbytes(5000)
        digests = [hashlib.md5(data, usedforsecurity=False).hexdigest() for data in (listed, other)]
        server.put(1, md5=digests[0])
        server.put(2, md5=digests[1])
        bench.more = {
            "exchanges": [declared(tmp_path, server, "x0", every="1d")],
            "hash_lists": [{"name": "ncmec", "exchange": "x0", "algorithm": "md5", "terms": TERMS}],
        }
        async with Cluster(bench.world) as cluster, bench.collecting(cluster):
            await bench.eventually(lambda rows: len(rows) >= 1, PATIENCE)

            async def in_force() -> list[str]:
                found = await bench.ask(lambda reader: _lists(reader))
                return [event for event in found if event[0] == "ncmec"]

            async with asyncio.timeout(PATIENCE):
                while len(await in_force()) < 1:
                    await asyncio.sleep(0.1)
            known = bench.world.document(listed)
            bench.news.post(media=known)
            await flagged(bench, 1)
            server.time_passes()
            server.withdraw(1)
            done = await asyncio.to_thread(
                subprocess.run,
                [
                    sys.executable,
                    "-m",
                    "monitor",
                    "lists",
                    "update",
                    "--config",
                    str(tmp_path / "config.yaml"),
                ],
                capture_output=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            bench.news.post("meanwhile")
            async with asyncio.timeout(PATIENCE):
                while len(await in_force()) < 2:
                    await asyncio.sleep(0.1)
            for media in (known, bench.world.document(listed), bench.world.document(other)):
                bench.news.post(media=media)
            await flagged(bench, 2)
            await bench.settled()
            top = bench.news.top
            await bench.eventually(lambda rows: max(rows) == top, PATIENCE)
        rows = await bench.rows()
        assert sorted(rows) == list(range(1, top + 1)), "no message was lost"
        assert [(name, entry) for name, entry in await flags(bench)] == [
            ("ncmec", "42-image1"),
            ("ncmec", "42-image2"),
        ]
        first, second = await in_force()
        assert first[1:] == (4, 0)
        assert second[1:] == (0, 2)
        assert await bench.ask(lambda reader: _withdrawn(reader)) == [("ncmec", "42-image1")]


async def _lists(reader: Any) -> list[tuple[str, Any, Any]]:
    return [
        (str(event.body["name"]), event.body["added"], event.body["withdrawn"])
        async for event in reader.events(0)
        if event.type.value == "list_loaded"
    ]


async def _withdrawn(reader: Any) -> list[tuple[str, str]]:
    return [
        (str(event.body["hash_list"]), str(event.body["entry"]))
        async for event in reader.events(0)
        if event.type.value == "entry_withdrawn"
    ]


async def flags(bench: Bench) -> list[tuple[str, str]]:
    async def read(reader: Any) -> list[tuple[str, str]]:
        return [(row["hash_list"], row["entry"]) async for row in reader.flag_rows()]

    return sorted(await bench.ask(read))


async def flagged(bench: Bench, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await flags(bench)) < count:
            await asyncio.sleep(0.1)


async def test_an_exchange_that_refuses_us_ends_nothing_and_is_asked_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served("tat") as server:
        server.put(1)
        server.troubles.extend([403] * 8)
        place = configured(tmp_path, server)
        config = load(place.config)
        schedule = Schedule(asyncio.Event(), random.Random(1))
        await schedule.follow(config)
        try:
            async with asyncio.timeout(PATIENCE):
                while not any(
                    "refuses our credentials" in line for line in concerns(config, datetime.now(UTC))
                ):
                    await asyncio.sleep(0.1)
                while "could not be asked" not in caplog.text:
                    await asyncio.sleep(0.1)
            asked = len(server.asked)
            await asyncio.sleep(3)
            assert len(server.asked) == asked == 1, "not before a minute has passed"
        finally:
            await schedule.end()


def test_without_the_package_the_remedy_is_named(tmp_path: Path) -> None:
    place = Site(tmp_path)
    place.write(exchanges=[{"name": "x0", "kind": "tat", "username": "us", "password": {"env": "HOME"}}])
    lacking = "import sys; sys.modules['threatexchange'] = None; from monitor import exchange_process as e; "
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{lacking}sys.exit(e.main([{str(place.config)!r}, '20', 'x0', '{os.getpid()}']))",
        ],
        input=cord.packed(load(place.config)),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"channel-monitor[exchange]" in done.stdout
