"""A configuration is read whole or refused with file, line, key and remedy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.frame import time_of, window
from monitor.config import Config, Retention, load, parse
from monitor.errors import ConfigError, InputError
from monitor.model import (
    FETCHED_KINDS,
    ROUTES,
    Basis,
    Budget,
    Category,
    ChatKind,
    ListAction,
    OperatorDetails,
    Provenance,
    Purpose,
    ReportingPolicy,
    Route,
)
from monitor.prepare import mail_server

PATH = Path("/nowhere/config.yaml")
AUTHORIZATION = (
    "{reference: r, basis: contract, granted_by: g, valid_from: 2026-01-01, valid_until: 2026-12-31}"
)
CHANNEL = "channels:\n  - username: a_channel\n    authorization: "


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, PATH)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_an_empty_file_gives_the_defaults() -> None:
    config = parse("", PATH)
    assert config.state == Path("/nowhere/state")
    assert config.media.max_bytes == 200_000_000
    assert config.media.kinds == FETCHED_KINDS
    assert config.matching.pdq.max_distance == 31
    assert not config.media_permitted


def test_the_example_is_valid_and_names_every_key() -> None:
    path = Path(__file__).parents[2] / "config.example.yaml"
    config = load(path)
    assert config.channels[0].authorization is not None
    assert config.channels[0].authorization.basis is Basis.ETHICS_APPROVAL
    assert config.media.kinds == FETCHED_KINDS  # which is what the comment beside them says
    text = path.read_text(encoding="utf-8")
    for name in Config.model_fields:
        assert name == "path" or f"\n{name}:" in text, f"{name} is not shown"


EXCHANGE = "exchanges:\n  - {{name: x, {}}}\n"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("kind: ncmec, username: us, password: {env: P}", "url is missing"),
        ("kind: stopncii, subscription_key: {env: P}", "function_key is missing"),
        ("kind: threatexchange, token: {env: P}", "privacy_group is missing"),
        ("kind: tat, username: us, password: {env: P}, token: {env: P}", "token: is nothing that tat takes"),
        ("kind: tat, username: us, password: hunter2", "a secret does not stand in the configuration"),
        ("kind: tat, username: us, password: {env: P}, url: 'http://example.org'", "https://host/path"),
        ("kind: tat, username: us, password: {env: P}, url: 'https://a:b@example.org'", "credentials"),
        ("kind: tat, username: us, password: {env: P}, every: 1s", "every"),
        ("kind: other", "kind"),
    ],
)
def test_an_exchange_takes_the_keys_of_its_kind(keys: str, words: str) -> None:
    said = refusal(EXCHANGE.format(keys))
    assert "line 2" in said
    assert words in said
    assert "hunter2" not in said


def test_a_list_is_a_file_or_what_a_declared_exchange_gives() -> None:
    terms = "terms: {{licensor: L, reference: R, permitted_uses: [detect]}}"
    lists = f"hash_lists: [{{{{name: a, algorithm: pdq, {{}}, {terms}}}}}]"
    exchange = EXCHANGE.format("kind: tat, username: us, password: {env: P}, url: 'http://127.0.0.1:8000'")
    config = parse(exchange + lists.format("exchange: x"), PATH)
    assert config.fetched("x") == Path("/nowhere/state/lists/x.db")
    assert "not declared" in refusal(lists.format("exchange: x"))
    assert "either file or exchange" in refusal(exchange + lists.format("exchange: x, file: f"))
    assert "either file or exchange" in refusal(exchange + lists.format("action: flag"))


def test_a_local_list_is_for_review_and_knows_no_exchange() -> None:
    terms = "terms: {{licensor: L, reference: R, permitted_uses: [detect]}}"
    lists = f"hash_lists: [{{{{name: a, format: local, {{}}, {terms}}}}}]"
    (declared,) = parse(lists.format("file: f"), PATH).hash_lists
    assert (declared.action, declared.provenance) == (ListAction.REVIEW, Provenance.OWN)
    assert declared.labels["adult_synthetic"] is Category.ADULT_SYNTHETIC
    (flagging,) = parse(lists.format("file: f, action: flag"), PATH).hash_lists
    assert flagging.action is ListAction.FLAG
    exchange = EXCHANGE.format("kind: tat, username: us, password: {env: P}, url: 'http://127.0.0.1:8000'")
    assert "nothing to do with an exchange" in refusal(exchange + lists.format("exchange: x"))
    assert "what victims handed in" in refusal(lists.format("file: f, action: ignore"))


def test_an_unknown_key_is_named_with_its_line() -> None:
    said = refusal("operator: me\nmedia:\n  max_byte: 3\n")
    assert "line 3" in said
    assert "media.max_byte" in said
    assert "unknown key" in said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("state_dir: [1]\n", 1, "state_dir"),
        ("\nmedia: {max_bytes: lots}\n", 2, "200MB"),
        ("media:\n  kinds: [photo, poll]\n", 2, "poll has no file to fetch"),
        ("media:\n  kinds: [films]\n", 2, "media.kinds"),
        ("accounts:\n  - {name: main, api_id: x, api_hash: {env: A}}\n", 2, "api_id"),
        ("accounts:\n  - {name: main, api_id: 1, api_hash: secret}\n", 2, "write {env: NAME}"),
        ("accounts:\n  - {name: main, api_id: 1, api_hash: {}}\n", 2, "at least one of"),
        ("accounts:\n  - {name: main, api_hash: {env: A}}\n", 2, "api_id: is missing"),
        ("channels:\n  - username: https://t.me/+AbCdEf\n", 2, "invite link"),
        ("channels:\n  - username: t.me/joinchat/AbCdEf\n", 2, "invite link"),
        ("channels:\n  - username: tg://join?invite=AbCdEf\n", 2, "invite link"),
        ("channels:\n  - username: +AbCdEf\n", 2, "invite link"),
        ("channels:\n  - username: two words\n", 2, "not a public username"),
        ("channels:\n  - {username: a_channel, authorization: {reference: r}}\n", 2, "is missing"),
        (
            f"channels:\n  - username: a_channel\n    authorization: {AUTHORIZATION.replace('contract', 'x')}\n",
            3,
            "basis",
        ),
        (
            CHANNEL + AUTHORIZATION.replace("2026-12-31", "soon") + "\n",
            3,
            "is not a date",
        ),
        (
            CHANNEL + AUTHORIZATION.replace("2026-12", "2025-12") + "\n",
            3,
            "before valid_from",
        ),
        ("operator: a\noperator: b\n", 2, "stands twice"),
        ("operator: [unclosed\n", 2, "not valid YAML"),
        ("a: 2026-13-45\n", 1, "not valid YAML"),
        ("- a\n- b\n", 1, "not a mapping"),
        ("telegram: {proxy: http://x:1}\n", 1, "socks5"),
        ("confinement: none\n", 1, "confinement"),
    ],
)
def test_bad_input_is_one_clear_error(text: str, line: int, words: str) -> None:
    said = refusal(text)
    assert words in said
    assert str(PATH) in said
    if "not valid YAML (" not in said and "not a mapping" not in said:
        assert f"line {line}" in said


def test_the_same_channel_twice_is_refused() -> None:
    assert "declared twice" in refusal("channels:\n  - username: a_channel\n  - username: '@A_Channel'\n")


def test_a_plain_date_counts_whole_days() -> None:
    config = parse(f"channels:\n  - username: a_channel\n    authorization: {AUTHORIZATION}\n", PATH)
    (declaration,) = config.declarations()
    assert declaration.authorization is not None
    assert declaration.authorization.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert declaration.authorization.valid_until == datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_day_that_a_command_is_told_counts_whole_as_in_the_configuration() -> None:
    last = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
    assert window("2026-11-22", "2026-11-22") == (datetime(2026, 11, 22, tzinfo=UTC), last)
    assert window(None, "2026-11-22T12:00:00+09:00") == (None, datetime(2026, 11, 22, 3, tzinfo=UTC))
    assert time_of("--until", "2026-11-22", end_of_day=True) == last
    with pytest.raises(InputError, match="--until: lies before --since"):
        window("2026-11-22", "2026-11-21")
    with pytest.raises(InputError, match="--since: is not a date"):
        window("yesterday", None)


def test_groups_are_collected_only_where_included() -> None:
    config = parse(
        "channels:\n  - username: a_channel\n  - {username: b_group, includes: [broadcast, group]}\n", PATH
    )
    first, second = config.declarations()
    assert first.includes == {ChatKind.BROADCAST}
    assert second.includes == {ChatKind.BROADCAST, ChatKind.GROUP}


def test_nothing_is_removed_for_which_no_time_is_named_and_no_time_is_under_a_day() -> None:
    assert parse("", PATH).retention.periods() == {}
    found = parse("retention: {messages: 52w, event_bodies: 1d}\n", PATH).retention.periods()
    assert found == {Purpose.MESSAGES: timedelta(weeks=52), Purpose.EVENT_BODIES: timedelta(days=1)}
    assert {purpose.value for purpose in Purpose} == set(Retention.model_fields)
    assert "less than a day" in refusal("retention: {messages: 5m}\n")
    assert "retention.flags" in refusal("retention: {flags: 52w}\n")


def test_choices_in_the_menu_are_lines_of_it_by_category() -> None:
    text = "telegram: {report_menu: {child: [Child abuse, Child sexual abuse]}}\n"
    assert parse(text, PATH).telegram.report_menu == {Category.CHILD: ("Child abuse", "Child sexual abuse")}
    for wrong, said in (
        ("{child: []}", "at least 1"),
        ("{children: [One]}", "child"),
        ('{child: ["two\\nlines"]}', "line of the menu"),
        (f"{{child: [{'x' * 65}]}}", "line of the menu"),
        (f"{{child: [{', '.join('abcdefghi')}]}}", "at most 8"),
    ):
        assert said in refusal(f"telegram: {{report_menu: {wrong}}}\n")


def test_budgets_have_defaults_and_take_nothing_for_a_ban() -> None:
    text = "telegram: {budgets: {joins_per_day: 0, pages_per_hour: 7}}\n"
    limits = parse(text, PATH).telegram.budgets.limits()
    hourly = {Budget.PAGES: 7, Budget.FILE_PARTS: 20_000}
    assert limits == {Budget.JOINS: 0, Budget.RESOLVES: 50, Budget.REPORTS: 20} | hourly
    assert "greater than or equal to 0" in refusal("telegram: {budgets: {resolves_per_day: -1}}\n")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="monitor init"):
        load(tmp_path / "config.yaml")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "hash"
    secret.write_text("0123456789abcdef")
    config = parse(
        "accounts:\n  - {name: main, api_id: 1, api_hash: {file: hash}}\n", tmp_path / "config.yaml"
    )
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        config.accounts[0].api_hash.read(tmp_path, "api_hash")
    assert "0123456789abcdef" not in str(caught.value)
    secret.chmod(0o600)
    assert config.accounts[0].api_hash.read(tmp_path, "api_hash") == "0123456789abcdef"


def test_the_policy_of_reporting_is_that_of_the_model_unless_said_otherwise() -> None:
    assert parse("", PATH).reporting.value() == ReportingPolicy()
    text = "reporting: {still_visible_after: 90m, routes: {unknown: [generic]}}"
    policy = parse(text, PATH).reporting.value()
    assert policy.still_visible_seconds == 5400
    assert policy.routes == {**ROUTES, Category.UNKNOWN: (Route.GENERIC,)}


@pytest.mark.parametrize(
    "wrong",
    ["undo_seconds: -1", "routes: {child: [post]}", "routes: {other: [dsa]}", "still_visible_after: 5m"],
)
def test_a_policy_that_cannot_be_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"line 1: reporting\."):
        parse(f"reporting: {{{wrong}}}", PATH)


@given(st.text())
def test_no_text_crashes_the_reader(text: str) -> None:
    try:
        parse(text, PATH)
    except ConfigError as e:
        assert str(PATH) in str(e)


KEYS = st.sampled_from(
    [*Config.model_fields, "channels", "accounts", "username", "authorization", "env", "file"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_no_structure_crashes_the_reader(data: dict[str, object]) -> None:
    import yaml

    try:
        parse(yaml.safe_dump(data), PATH)
    except ConfigError as e:
        assert str(PATH) in str(e)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("operator_details: {email: a b@example.org}\n", 1, "is not a mail address"),
        ("operator_details:\n  email: 'a@example.org\\r\\nBcc: b@example.org'\n", 2, "is not a mail address"),
        ("operator_details:\n  phone: call me\n", 2, "phone"),
        ("operator_details: {language: fr}\n", 1, "language"),
        ("operator_details: {fax: '1'}\n", 1, "unknown key"),
        ("smtp: {host: mail.example.org, username: x}\n", 1, "go together"),
        ("smtp: {host: mail.example.org, security: none}\n", 1, "security"),
        ("smtp: {host: 'mail example'}\n", 1, "host"),
        ("smtp: {host: mail.example.org, username: x, password: secret}\n", 1, "write {env: NAME}"),
        ("notices: {register: x.toml}\n", 1, "unknown key"),
    ],
)
def test_who_reports_and_how_is_checked(text: str, line: int, words: str) -> None:
    said = refusal(text)
    assert f"line {line}" in said
    assert words in said


def test_details_and_mail_server_travel_as_they_are_declared(tmp_path: Path) -> None:
    secret = tmp_path / "smtp.password"
    secret.write_text("horse\n")
    secret.chmod(0o600)
    config = parse(
        "operator_details: {organisation: Example Institute, email: r@example.org, language: ko}\n"
        "smtp: {host: mail.example.org, username: r, password: {file: smtp.password}, ca_file: ca.pem}\n",
        tmp_path / "config.yaml",
    )
    assert config.operator_details is not None
    assert config.operator_details.value() == OperatorDetails(
        organisation="Example Institute", email="r@example.org", language="ko"
    )
    server = mail_server(config)
    assert (server.host, server.port, server.security) == ("mail.example.org", 587, "starttls")
    assert (server.username, server.password, server.timeout) == ("r", "horse", 60.0)
    assert server.ca_file == tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match="smtp: is not declared"):
        mail_server(parse("", tmp_path / "config.yaml"))
