"""Scenario files."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.testdc import Cluster, Delay, Drop, Photo, Rpc
from monitor.testdc.errors import ScenarioError
from monitor.testdc.media import Document
from monitor.testdc.scenario import build, load


def test_a_scenario_makes_users_channels_posts_and_faults() -> None:
    scenario = build(
        {
            "seed": 3,
            "users": [{"phone": "15550001", "code": "22222", "password": "pw", "dc": 2, "first_name": "Ada"}],
            "channels": [
                {"username": "example_news", "posts": 200, "photos": 0.3, "documents": 0.2},
                {"username": "live_one", "access": "request", "live_per_second": 4},
            ],
            "faults": [
                {"request": "messages.getHistory", "flood_wait": 3, "count": 2},
                {"request": "a.b", "error": [400, "X"]},
                {"request": "a.c", "delay": 1, "count": None},
                {"request": "a.d", "drop": "after"},
            ],
        }
    )
    ada = scenario.world.by_phone("+15550001")
    assert ada is not None and (ada.password, ada.dc) == ("pw", 2)
    news, live = scenario.world.channels.values()
    assert news.top == 201 and live.access == "request"
    dates = [post.date for post in news.posts]
    assert dates == sorted(dates) and dates[-1] < scenario.world.now()
    photos = sum(isinstance(post.media, Photo) for post in news.posts)
    documents = sum(isinstance(post.media, Document) for post in news.posts)
    assert 40 <= photos <= 80 and 20 <= documents <= 60
    [posting] = scenario.live
    assert posting.seconds == 0.25 and posting.post().id == 2 and live.top == 2
    cluster = Cluster(scenario.world)
    scenario.order(cluster)
    faults = cluster.faults
    assert [faults.take(name, None) for name in ("messages.getHistory", "a.b", "a.b")] == [
        Rpc(420, "FLOOD_WAIT_3"),
        Rpc(400, "X"),
        None,
    ]
    assert [faults.take("a.c", None), faults.take("a.c", None)] == [Delay(1.0)] * 2
    assert faults.take("a.d", None) == Drop("after")


def test_a_scenario_makes_bots_login_tokens_and_disturbances() -> None:
    scenario = build(
        {
            "login_token_seconds": 2,
            "users": [{"phone": "15550001", "code": "22222", "scans_after": 0.5}],
            "bots": [{"token": "1000:bot-token", "username": "example_bot", "dc": 2}],
            "channels": [{"username": "news_one", "bots": ["example_bot"]}, {"username": "news_two"}],
            "faults": [
                {"update": "lose", "channel": "news_one", "count": 2},
                {"update": "late", "seconds": 5},
                {"request": "*", "error": [-503, "Timeout"], "dc": 2},
            ],
        }
    )
    world, cluster = scenario.world, Cluster(scenario.world)
    scenario.order(cluster)
    ada, bot = world.users.values()
    one, two = world.channels.values()
    assert bot.bot and bot is world.by_token("1000:bot-token") and bot.dc == 2
    assert bot.id in one.members and bot.id not in two.members
    assert ada.scans_after == 0.5 and cluster.sign_ins.token_life == 2
    faults = cluster.faults
    assert [len(faults.deliver(ada, one).delays) for _ in range(3)] == [0, 0, 1]
    assert 0 < faults.deliver(ada, two).delays[0] < 5
    assert (faults.take("a.b", None, 1), faults.take("a.b", None, 2)) == (None, Rpc(-503, "Timeout"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "the file: keys with values are expected"),
        ({"user": []}, "unknown key 'user'; known are seed, login_token_seconds, users"),
        ({"seed": "x"}, "seed: int is expected"),
        ({"users": [{"phone": "1"}]}, r"users\[1\]: 'code' is missing"),
        ({"users": [{"phone": 1, "code": "2"}]}, r"users\[1\].phone: str is expected, found 1"),
        ({"users": [{"phone": "1", "code": "2", "dc": 3}]}, r"users\[1\].dc: 3 is neither"),
        ({"channels": [{"username": "a_b_c", "kind": "chat"}]}, r"channels\[1\].kind: 'chat' is none of"),
        ({"channels": [{"username": "a_b_c", "photos": 1.5}]}, "shares"),
        (
            {"channels": [{"username": "a_b_c"}, {"username": "A_B_C"}]},
            r"channels\[2\]: the name .* is taken",
        ),
        ({"faults": [{"request": "a.b"}]}, "one of flood_wait, error, delay and drop"),
        ({"faults": [{"request": "a.b", "drop": "now"}]}, "drop: 'now' cannot be used"),
        ({"faults": [{"update": "bend"}]}, "'bend' is none of lose, double, late"),
        ({"faults": [{"update": "late"}]}, "seconds belongs to late"),
        ({"faults": [{"update": "lose", "channel": "nobody"}]}, "'nobody' is no channel"),
        ({"bots": [{"token": "1:2"}]}, r"bots\[1\]: 'username' is missing"),
        ({"channels": [{"username": "a_b_c", "bots": ["nobody"]}]}, r"channels\[1\].bots: only"),
        ({"faults": [{"request": "a.b", "error": ["X"]}]}, "error: .* cannot be used"),
    ],
)
def test_what_cannot_be_used_is_said(raw: object, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        build(raw)


def test_files_that_are_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"missing\.yaml: No such file"):
        load(tmp_path / "missing.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("users: [", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"broken\.yaml: not YAML"):
        load(broken)
