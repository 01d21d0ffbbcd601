"""What differs between two configurations, and what a daemon's notice says."""

import stat
from pathlib import Path

import pytest

from monitor.config import load, parse
from monitor.errors import ConfigError
from monitor.reloading import Changes, Notice, changed, changes, noticed, publish, withdraw

PATH = Path("/nowhere/config.yaml")
LIST = (
    "{{name: {}, file: {}, algorithm: md5, terms: {{licensor: L, reference: R, permitted_uses: [detect]}}}}"
)


def config(channels: str = "", lists: str = "", rest: str = "") -> str:
    return f"channels: [{channels}]\nhash_lists: [{lists}]\n{rest}\n"


def test_names_of_what_is_new_gone_and_different() -> None:
    old = config("{username: one_name}, {username: two_name}", LIST.format("a", "f"))
    new = config(
        "{username: two_name, includes: [group]}, {username: new_name}",
        f"{LIST.format('a', 'g')}, {LIST.format('b', 'f')}",
        "media: {max_bytes: 1MB}",
    )
    assert changes(parse(old, PATH), parse(new, PATH)) == Changes(
        channels_added=("new_name",),
        channels_removed=("one_name",),
        channels_changed=("two_name",),
        lists_added=("b",),
        lists_changed=("a",),
        settings=("media",),
    )


def test_the_same_in_other_words_is_no_change() -> None:
    assert changes(parse("media: {max_bytes: 200MB}", PATH), parse("# nothing", PATH)) == Changes()


@pytest.mark.parametrize("key", ["state_dir: ./other", "store: postgresql://host/db"])
def test_what_a_running_daemon_cannot_change_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("operator: one")
    running = load(path)
    path.write_text("operator: two")
    assert changed(running).operator == "two"
    path.write_text(f"operator: two\n{key}\n")
    with pytest.raises(ConfigError, match=f"{key.split(':')[0]}: cannot change while the daemon runs"):
        changed(running)


def test_a_notice_is_private_and_comes_back_as_it_was(tmp_path: Path) -> None:
    assert noticed(tmp_path) is None
    notice = Notice(7, "/c.yaml", 2, 2, "ключ: wrong", Changes(channels_added=("one_name",)))
    publish(tmp_path, notice)
    assert noticed(tmp_path) == notice
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    withdraw(tmp_path)
    withdraw(tmp_path)
    assert noticed(tmp_path) is None
