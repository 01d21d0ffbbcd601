"""A list added to a configuration by command, or removed: what a person wrote stays as it is."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config_edit import add_list, remove_list, write
from monitor.errors import InputError

ENTRY = {"name": "new", "file": "lists/new.csv", "terms": {"licensor": "A: B", "permitted_uses": ["detect"]}}
BLOCK = """\
# ours
state_dir: ./state   # where it lies
hash_lists:
  # the first
  - {name: a, file: a.csv}
  - name: b            # another
    file: b.csv
    terms:
      licensor: x

# media
media: {max_bytes: 1MB}
"""
FORMS = {
    "block": BLOCK,
    "none": "state_dir: ./state\n",
    "no newline at the end": "state_dir: ./state",
    "empty": "state_dir: ./state\nhash_lists: []\nmedia: {}\n",
    "null": "hash_lists:\nmedia: {}\n",
    "not indented": "hash_lists:\n- name: a\n  file: a.csv\nmedia: {}\n",
    "last": "hash_lists:\n    - name: a\n      file: a.csv",
    "nothing": "",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_an_entry_is_added_behind_the_others_and_all_else_stays(text: str) -> None:
    after = add_list(text, ENTRY)
    old, new = yaml.safe_load(text) or {}, yaml.safe_load(after)
    assert new == {**old, "hash_lists": [*(old.get("hash_lists") or []), ENTRY]}
    kept = [line for line in text.splitlines() if not line.startswith("hash_lists")]
    lines = iter(after.splitlines())
    assert all(line in lines for line in kept)


@pytest.mark.parametrize("name", ["a", "b"])
def test_an_entry_is_removed_with_its_lines_alone(name: str) -> None:
    after = remove_list(BLOCK, name)
    assert [e["name"] for e in yaml.safe_load(after)["hash_lists"]] == [n for n in "ab" if n != name]
    assert "# media\nmedia: {max_bytes: 1MB}\n" in after
    assert "# the first" in after


def test_what_was_added_can_be_removed_again() -> None:
    assert remove_list(add_list(BLOCK, ENTRY), "new") == BLOCK
    assert yaml.safe_load(remove_list(add_list("", ENTRY), "new")) == {"hash_lists": []}


def test_a_form_that_cannot_be_changed_is_refused() -> None:
    with pytest.raises(InputError, match="edit the file"):
        add_list("hash_lists: [{name: a}]\n", ENTRY)
    with pytest.raises(InputError, match="edit the file"):
        remove_list("hash_lists: [{name: a}, {name: b}]\n", "a")
    with pytest.raises(InputError, match="not declared"):
        remove_list(BLOCK, "c")


WORDS = st.text(min_size=1, max_size=20).filter(lambda s: s.isprintable())


@settings(deadline=None)
@given(st.dictionaries(WORDS, WORDS | st.lists(WORDS) | st.none() | st.integers(), max_size=5))
def test_whatever_an_entry_says_it_is_read_back(entry: dict[str, object]) -> None:
    entry = {"name": "new", **entry} | {"name": "new"}
    after = add_list(BLOCK, entry)
    assert yaml.safe_load(after)["hash_lists"][-1] == entry
    assert remove_list(after, "new") == BLOCK


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old")
    path.chmod(0o640)
    write(path, "new", before="old")
    assert (path.read_text(), path.stat().st_mode & 0o777, list(tmp_path.iterdir())) == ("new", 0o640, [path])
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "missing" / "config.yaml", "new", before="")


def test_a_comment_beside_the_key_stays() -> None:
    text = "hash_lists: []   # none yet\nmedia: {}\n"
    after = add_list(text, ENTRY)
    assert after.startswith("hash_lists:   # none yet\n  - name: new\n")
    assert remove_list(after, "new") == "hash_lists: []   # none yet\nmedia: {}\n"


def test_comments_between_the_key_and_the_last_entry_stay() -> None:
    text = "hash_lists:\n  # the first\n  - {name: a, file: a.csv}\nmedia: {}\n"
    assert remove_list(text, "a") == "hash_lists: []\n  # the first\nmedia: {}\n"


def test_a_file_that_somebody_changed_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("theirs")
    with pytest.raises(InputError, match="was changed meanwhile"):
        write(path, "ours", before="old")
    assert path.read_text() == "theirs"


def test_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    path.write_text("old")
    link.symlink_to(path)
    write(link, "new", before="old")
    assert (link.is_symlink(), path.read_text()) == (True, "new")
