"""Budgets and pauses against a data centre: what its journal shows, over restarts."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor.daemon import ProcessFailed
from monitor.model import AccountReason, AccountState, Budget
from monitor.telegram.politeness import CONNECTING, FETCHING, budget_of
from monitor.testdc import Cluster, FloodWait, Rpc
from tests.e2e.site import CODE, PHONE, USER, channel, eventually, lines, site, stop
from tests.e2e.test_collecting import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def asked(cluster: Cluster, name: str, number: int, seconds: float = 60) -> None:
    """Wait until there were so many requests of that name."""
    async with asyncio.timeout(seconds):
        while len(cluster.requests(name)) < number:
            await asyncio.sleep(0.05)


async def recorded(bench: Bench, number: int, seconds: float = 60) -> None:
    """Wait until there are so many messages on record."""
    async with asyncio.timeout(seconds):
        while not await bench.rows() or (await bench.ask(lambda r: r.totals())).messages < number:
            await asyncio.sleep(0.05)


async def conduct(bench: Bench) -> Any:
    return await bench.ask(lambda reader: reader.conduct("main"))


async def test_a_known_channels_name_is_never_resolved_again(bench: Bench) -> None:
    bench.news.post("one")
    async with Cluster(bench.world) as cluster:
        for run in range(3):
            async with bench.collecting(cluster):
                post = bench.news.post(f"in run {run}")
                await bench.eventually(lambda rows, post=post: post.id in rows)
                cluster.cut()
                post = bench.news.post(f"after a break in run {run}")
                await bench.eventually(lambda rows, post=post: post.id in rows)
        assert len(cluster.requests("contacts.resolveUsername")) == 1
        assert len(cluster.requests("channels.joinChannel")) == 1
        assert len(cluster.requests("messages.getDialogs")) >= 5, "it is known by its id instead"


async def test_joins_beyond_the_budget_wait_and_hold_nothing_up(bench: Bench) -> None:
    names = [f"channel_{n}" for n in range(4)]
    joined, *_ = [bench.world.channel(name) for name in names]
    for each in bench.world.channels.values():
        each.post("one")
    bench.budgets = {"joins_per_day": 2}
    bench.channels = [channel(name) for name in names]
    async with Cluster(bench.world) as cluster:
        for _ in range(2):
            async with bench.collecting(cluster):
                await recorded(bench, 4)
                await asyncio.sleep(1)
            assert len(cluster.requests("channels.joinChannel")) == 2
            assert len(cluster.requests("contacts.resolveUsername")) == 2, "no name is resolved in vain"
        # Those that were joined are asked about before those that wait, wherever they are declared.
        bench.channels.reverse()
        async with bench.collecting(cluster):
            joined.post("live")
            await recorded(bench, 5)
        assert len(cluster.requests("channels.joinChannel")) == 2
    states = Counter(c.state for c in await bench.ask(lambda reader: reader.channels()))
    assert states == {"collecting": 2, "declared": 2}


@pytest.mark.prove
async def test_a_pause_is_obeyed_over_a_restart(bench: Bench) -> None:
    for number in range(150):
        bench.news.post(f"post {number}")
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("messages.getHistory", FloodWait(12), count=1, after=1)
        async with bench.collecting(cluster):
            await asked(cluster, "messages.getHistory", 2)
            async with asyncio.timeout(30):
                while not (await conduct(bench)).waits:
                    await asyncio.sleep(0.05)
        async with bench.collecting(cluster):
            await bench.eventually(lambda rows: len(rows) == 151, seconds=60)
        times = [entry.at for entry in cluster.requests("messages.getHistory")]
        assert times[2] - times[1] >= 12.0
        (waits,) = (await conduct(bench)).waits
        assert (waits.method, waits.count, waits.seconds) == ("messages.getHistory", 1, 12)


async def test_the_library_asks_by_itself_no_more_than_is_known(bench: Bench) -> None:
    """What is listed as asked without a budget, once or twice a connection, is all there is."""
    bench.news.post(media=bench.world.document(b"x" * 1000, dc=2))
    async with Cluster(bench.world) as cluster:
        async with bench.collecting(cluster):
            await bench.settled()
        before = Counter(entry.name for entry in cluster.journal)
        async with bench.collecting(cluster):
            post = bench.news.post(media=bench.world.document(b"y" * 1000, dc=2))
            await bench.eventually(lambda rows: post.id in rows)
            await bench.settled()
        asked = Counter(entry.name for entry in cluster.journal) - before
    of_the_library = {name: asked[name] for name in (*CONNECTING, *FETCHING)}
    assert of_the_library == {
        "help.getConfig": 2,  # once at each data centre's first need
        "users.getUsers": 2,  # one of them ours: is the account signed in?
        "updates.getState": 1,
        "updates.getDifference": 1,
        "auth.exportAuthorization": 1,
        "auth.importAuthorization": 1,
    }
    others = asked.keys() - of_the_library.keys()
    assert {name for name in others if budget_of(name) is None} == set()
    pages = sum(asked[name] for name in others if budget_of(name) is Budget.PAGES)
    spent = (await conduct(bench)).spent
    assert sum(s.count for s in spent if s.budget is Budget.PAGES) >= pages


async def test_peer_flood_ends_joining_and_nothing_else(bench: Bench) -> None:
    second = bench.world.channel("second_one")
    second.post("one")
    bench.channels = [channel("news_one"), channel("second_one")]
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("channels.joinChannel", Rpc(400, "PEER_FLOOD"), count=1, after=1)
        for _ in range(2):
            async with bench.collecting(cluster):
                post = bench.news.post("live")
                await bench.eventually(lambda rows, post=post: post.id in rows)
                await asked(cluster, "channels.joinChannel", 2)
                await asyncio.sleep(0.5)
        assert len(cluster.requests("channels.joinChannel")) == 2
        found = await conduct(bench)
        assert found.state is AccountState.ACTIVE
        assert (found.joins_paused_until - found.last.at).total_seconds() > 86_000


async def test_a_frozen_account_stops_with_its_state_on_record(bench: Bench) -> None:
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("channels.joinChannel", Rpc(420, "FROZEN_METHOD_INVALID"), count=None)
        for _ in range(2):
            with pytest.raises(ProcessFailed) as caught:
                async with bench.collecting(cluster) as task:
                    async with asyncio.timeout(60):
                        await asyncio.wait({task})
            assert caught.value.exit_code == 3
        assert len(cluster.requests("channels.joinChannel")) == 1, "it is not tried again for a day"
    found = await conduct(bench)
    assert (found.state, found.reason) == (AccountState.FROZEN, AccountReason.FROZEN)
    assert found.since is not None


@pytest.mark.prove
def test_a_frozen_account_stops_alone(tmp_path: Path) -> None:
    scenario = {
        "users": [USER, {"phone": "15550002", "code": "33333"}],
        "channels": [{"username": "first_one", "posts": 3}, {"username": "second_one", "posts": 3}],
        "faults": [{"request": "channels.joinChannel", "error": [420, "FROZEN_METHOD_INVALID"]}],
    }
    names = ("first", "second")
    accounts = [{"name": name, "api_id": 1, "api_hash": {"file": "api_hash"}} for name in names]
    channels = [channel(f"{name}_one", account=name) for name in names]
    with site(tmp_path, scenario, channels=channels) as place:
        place.write(accounts=accounts)
        assert place.monitor("login", "first", answers=f"{PHONE}\n{CODE}\n").returncode == 0
        assert place.monitor("login", "second", answers="+1 555 0002\n33333\n").returncode == 0

        def states() -> list[str]:
            (status,) = lines(place.monitor("status", "--json").stdout)
            return sorted(account["state"] for account in status["accounts"])

        with place.running() as daemon:
            eventually(lambda: place.count() == 4, "the other account's channel", seconds=60)
            eventually(lambda: "the account stops" in place.log(), "the account stops", seconds=60)
            assert states() == ["active", "frozen"]
            assert daemon.poll() is None
            assert stop(daemon) == 0
        (frozen,) = [
            account["account"]
            for account in lines(place.monitor("status", "--json").stdout)[0]["accounts"]
            if account["state"] == "frozen"
        ]
        findings = lines(place.monitor("check", "--json").stdout)
        (found,) = [finding for finding in findings if finding["what"] == f"connection {frozen}"]
        assert found["level"] == "error"
        assert f"monitor login {frozen}" in found["detail"]
        answers = f"{PHONE}\n{CODE}\n" if frozen == "first" else "+1 555 0002\n33333\n"
        assert place.monitor("login", frozen, answers=answers).returncode == 0
        assert states() == ["active", "active"]
