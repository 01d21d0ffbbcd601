"""`monitor login` in all its ways, against a data centre in this process: its journal tells what was asked."""

import asyncio
import base64
import contextlib
import os
import pty
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import segno

from monitor.testdc import Cluster, User, World
from monitor.testdc.process import Served
from tests.e2e.site import CODE, PHONE, Site, at, channel, eventually, stop
from tests.e2e.socks import proxy

CREDENTIAL = "1000:bot-token"
SIGNED_IN = "SELECT user_id, bot, dc FROM sessions"


@pytest.fixture
def world() -> World:
    return World(seed=7)


@pytest.fixture
def alice(world: World) -> User:
    return world.user(phone=PHONE, code=CODE, first_name="Alice")


@pytest.fixture
async def cluster(world: World, alice: User) -> AsyncIterator[Cluster]:
    async with Cluster(world, seed=7) as cluster:
        yield cluster


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Site:
    key = tmp_path / "dc.pem"
    key.write_text(cluster.public_key)
    return at(tmp_path, Served(cluster.host, cluster.port(1), key))


async def monitor(place: Site, *arguments: str, answers: str = "") -> Any:
    """A command, run while the data centre goes on in this thread."""
    return await asyncio.to_thread(place.monitor, *arguments, answers=answers)


@contextlib.asynccontextmanager
async def scanning(place: Site, answers: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """`monitor login --qr` in a process of its own; its answers are there from the start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor",
        "login",
        "--qr",
        "--config",
        str(place.config),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(answers.encode())
    process.stdin.close()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def shown(process: asyncio.subprocess.Process) -> bytes:
    """The token in the next link on standard error."""
    assert process.stderr is not None
    while True:
        line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode().strip()
        assert line, "standard error ended without a link"
        if line.startswith("tg://login?token="):
            token = line.partition("=")[2]
            return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


async def ended(process: asyncio.subprocess.Process) -> int:
    return await asyncio.wait_for(process.wait(), 60)


# By QR code


async def test_a_scanned_code_signs_in_and_leaves_no_trace_of_the_token(
    place: Site, cluster: Cluster, alice: User
) -> None:
    async with scanning(place) as process:
        token = await shown(process)
        cluster.accept_login(token, alice)
        assert await ended(process) == 0
        assert process.stdout is not None
        assert await process.stdout.read() == b"account main is signed in\n"
    assert place.rows(SIGNED_IN) == [(alice.id, 0, 1)]
    assert place.rows("SELECT type FROM events") == [("signed_in",)]
    for file in place.folder.rglob("*"):
        if file.is_file():
            assert (
                token not in file.read_bytes()
                and base64.urlsafe_b64encode(token)[:20] not in file.read_bytes()
            )


@pytest.mark.prove
async def test_a_code_that_expires_is_shown_anew(place: Site, cluster: Cluster, alice: User) -> None:
    cluster.sign_ins.token_life = 1
    async with scanning(place) as process:
        first = await shown(process)
        cluster.sign_ins.token_life = 60
        second = await shown(process)
        assert second != first
        cluster.accept_login(second, alice)
        assert await ended(process) == 0
    # Asked for once for each code, and once when the scan was heard of.
    assert len(cluster.requests("auth.exportLoginToken")) == 3


async def test_a_scan_by_an_account_at_home_elsewhere_leads_there(
    place: Site, cluster: Cluster, world: World
) -> None:
    carol = world.user(phone="15550003", code="44444", dc=2)
    async with scanning(place) as process:
        cluster.accept_login(await shown(process), carol)
        assert await ended(process) == 0
    assert place.rows(SIGNED_IN) == [(carol.id, 0, 2)]
    assert (await monitor(place, "login")).stdout == "account main is signed in already\n"


@pytest.mark.parametrize("dc", [1, 2])
async def test_after_a_scan_the_two_step_password_is_asked_for(
    place: Site, cluster: Cluster, world: World, dc: int
) -> None:
    dave = world.user(phone="15550004", code="55555", password="correct horse", dc=dc)
    async with scanning(place, answers="wrong horse\n") as process:
        cluster.accept_login(await shown(process), dave)
        assert await ended(process) == 2
        assert process.stderr is not None
        assert b"the two-step password is wrong" in await process.stderr.read()
    assert place.rows(SIGNED_IN) == []
    async with scanning(place, answers="correct horse\n") as process:
        cluster.accept_login(await shown(process), dave)
        assert await ended(process) == 0
    assert place.rows(SIGNED_IN) == [(dave.id, 0, dc)]


async def test_a_terminal_shows_the_code_itself(place: Site, cluster: Cluster, alice: User) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "monitor", "login", "--qr", "--config", str(place.config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=theirs,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    text = ""
    try:
        async with asyncio.timeout(60):
            while not text.endswith("\n") or "tg://" not in text:
                text += (await asyncio.to_thread(os.read, ours, 65536)).decode()
        link = next(line for line in text.splitlines() if line.startswith("tg://"))
        token = link.partition("=")[2]
        cluster.accept_login(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), alice)
        assert await ended(process) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
    drawn = [
        line[len("\x1b[38;5;231;48;5;16m") : -len("\x1b[0m")] for line in text.splitlines() if "\x1b[" in line
    ]
    dark = [[c in " ▄" for c in line] for line in drawn], [[c in " ▀" for c in line] for line in drawn]
    rows = [row for pair in zip(*dark, strict=True) for row in pair]
    expected = [
        [bool(m) for m in row] for row in segno.make(link, error="l", micro=False).matrix_iter(border=2)
    ]
    assert rows[: len(expected)] == expected


# Bots


@pytest.mark.parametrize("given", ["in the configuration", "when asked"])
async def test_a_bot_signs_in_with_its_token(place: Site, world: World, given: str) -> None:
    bot = world.bot(CREDENTIAL, "example_bot")
    account = {"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}, "kind": "bot"}
    if given == "in the configuration":
        secret = place.folder / "bot.token"
        secret.write_text(CREDENTIAL)
        secret.chmod(0o600)
        account["token"] = {"file": "bot.token"}
    place.write(accounts=[account])
    done = await monitor(place, "login", answers="" if "token" in account else f"{CREDENTIAL}\n")
    assert done.returncode == 0, done.stderr
    assert CREDENTIAL not in done.stdout + done.stderr
    assert place.rows(SIGNED_IN) == [(bot.id, 1, 1)]


async def test_a_wrong_token_and_a_code_for_a_bot_are_refused(place: Site, cluster: Cluster) -> None:
    account = {"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}, "kind": "bot"}
    place.write(accounts=[account])
    wrong = await monitor(place, "login", answers="1000:other\n")
    assert (wrong.returncode, wrong.stderr.strip().count("\n")) == (2, 0)
    assert "the bot token is not valid" in wrong.stderr
    before = len(cluster.journal)
    scan = await monitor(place, "login", "--qr")
    assert scan.returncode == 2 and "bots sign in with their token" in scan.stderr
    assert len(cluster.journal) == before


async def test_a_token_of_an_account_that_is_no_bot_is_refused(place: Site) -> None:
    place.write(accounts=[place.settings["accounts"][0] | {"token": {"env": "TOKEN"}}])
    done = await monitor(place, "login")
    assert done.returncode == 2 and "token: belongs to a bot" in done.stderr


# Beside a daemon, and through a proxy


@pytest.mark.prove
async def test_a_login_beside_a_daemon_is_refused_before_the_platform_sees_it(
    place: Site, cluster: Cluster, world: World
) -> None:
    world.channel("news_one").post("hello")
    place.write(channels=[channel("news_one")])
    assert (await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")).returncode == 0
    with place.running() as daemon:
        await asyncio.to_thread(eventually, lambda: place.count() == 2, "the history", 60)
        dcs = list(cluster._dcs.values())
        # The daemon goes on asking meanwhile: a login would be seen by a key or a connection of its own.
        connections, keys = [set(dc.connections) for dc in dcs], [set(dc.keys) for dc in dcs]
        refused = await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")
        assert refused.returncode == 2 and "another monitor is at work here" in refused.stderr
        assert [set(dc.keys) for dc in dcs] == keys
        assert [set(dc.connections) for dc in dcs] == connections
        assert len(cluster.requests("auth.sendCode")) == 1
        assert await asyncio.to_thread(stop, daemon) == 0


@pytest.mark.prove
@pytest.mark.parametrize("account", [None, ("user", "pass word")])
async def test_login_and_run_go_through_the_proxy_alone(
    place: Site, cluster: Cluster, world: World, account: tuple[str, str] | None
) -> None:
    news = world.channel("news_one")
    for number in range(20):
        news.post(str(number), media=world.document(b"%d" % number, dc=2))
    (place.folder / "list.csv").write_text("sha256,entry\n" + "0" * 64 + ",e-1\n")
    (place.folder / "list.csv").chmod(0o600)
    terms = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
    lists = [{"name": "one", "file": "list.csv", "algorithm": "sha256", "terms": terms}]
    async with proxy(account) as way:
        who = "user:pass%20word@" if account else ""
        server = place.settings["telegram"]["server"]
        place.write(
            channels=[channel("news_one")],
            hash_lists=lists,
            telegram={"server": server, "proxy": f"socks5://{who}127.0.0.1:{way.port}"},
        )
        done = await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")
        assert done.returncode == 0, done.stderr
        assert way.led_to == [cluster.port(1)]
        with place.running() as daemon:
            looked = "SELECT count(*) FROM media WHERE outcome != 'pending'"
            await asyncio.to_thread(eventually, lambda: place.rows(looked) == [(20,)], "all media", 60)
            assert await asyncio.to_thread(stop, daemon) == 0
    assert set(way.led_to) == {cluster.port(1), cluster.port(2)}


async def test_a_proxy_that_refuses_is_said(place: Site, cluster: Cluster) -> None:
    async with proxy(("user", "right")) as way:
        server = place.settings["telegram"]["server"]
        url = f"socks5://user:wrong@127.0.0.1:{way.port}"
        place.write(telegram={"server": server, "proxy": url})
        done = await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")
    assert done.returncode == 3 and "cannot be reached" in done.stderr
    assert "wrong" not in done.stderr and not cluster.journal


# A key that is lost


async def test_a_failed_login_leaves_the_stored_key_as_it_is(
    place: Site, cluster: Cluster, alice: User
) -> None:
    assert (await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")).returncode == 0
    stored = place.rows("SELECT dc, auth_key, user_id FROM sessions")
    cluster.forget_keys(alice)
    failed = await monitor(place, "login", answers=f"{PHONE}\n99999\n")
    assert failed.returncode == 2 and "the code is wrong" in failed.stderr
    assert place.rows("SELECT dc, auth_key, user_id FROM sessions") == stored
    cluster.recall_keys(alice)
    assert (await monitor(place, "login")).stdout == "account main is signed in already\n"


@pytest.mark.parametrize("loss", ["forgotten", "revoked"])
async def test_after_a_loss_a_login_makes_a_new_key(
    place: Site, cluster: Cluster, alice: User, loss: str
) -> None:
    assert (await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")).returncode == 0
    (stored,) = place.rows("SELECT auth_key FROM sessions")
    if loss == "forgotten":
        cluster.forget_keys(alice)
    else:
        cluster.revoke(alice)
    done = await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")
    assert done.stdout == "account main is signed in\n", done.stderr
    assert place.rows("SELECT auth_key FROM sessions") != [stored]


@pytest.mark.prove
async def test_a_daemon_outlives_a_key_that_is_lost_and_found(
    place: Site, cluster: Cluster, world: World, alice: User
) -> None:
    news = world.channel("news_one")
    place.write(channels=[channel("news_one")])
    assert (await monitor(place, "login", answers=f"{PHONE}\n{CODE}\n")).returncode == 0
    stored = place.rows("SELECT auth_key FROM sessions")
    with place.running() as daemon:
        await asyncio.to_thread(eventually, lambda: place.count() == 1, "the channel", 60)
        cluster.forget_keys(alice)
        cluster.cut()
        said = "does not know the account's key"
        await asyncio.to_thread(eventually, lambda: said in place.log(), "the warning", 60)
        news.post("meanwhile")
        cluster.recall_keys(alice)
        await asyncio.to_thread(eventually, lambda: place.count() == 2, "the post", 60)
        assert place.rows("SELECT auth_key FROM sessions") == stored
        assert await asyncio.to_thread(stop, daemon) == 0
