"""Secrets come from where they are best kept, and show nowhere; what is open to others is refused."""

import logging
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from typer.main import get_command

from monitor.cli import app
from monitor.config import parse
from monitor.errors import ConfigError, InputError
from monitor.secrets import (
    Secret,
    private_file,
    replace_private,
    sealing_key,
    write_private,
)

MARKER = "c0ffee5ec4e7" * 4
KEY = "ab" * 32


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a private file, and credentials beside it."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "hash").write_text("from systemd\n")
    write_private(tmp_path / "hash", b"from the file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("A_HASH", "from the environment")
    return tmp_path


def test_each_source_is_read(folder: Path) -> None:
    assert Secret(credential="hash").read(folder, "api_hash") == "from systemd"
    assert Secret(env="A_HASH").read(folder, "api_hash") == "from the environment"
    assert Secret(file=Path("hash")).read(folder, "api_hash") == "from the file"


def test_of_several_sources_the_best_that_is_there_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = Secret(file=Path("hash"), env="A_HASH", credential="hash")
    assert several.read(folder, "api_hash") == "from systemd"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert several.read(folder, "api_hash") == "from the environment"
    monkeypatch.delenv("A_HASH")
    assert several.read(folder, "api_hash") == "from the file"
    (folder / "hash").unlink()
    with pytest.raises(ConfigError, match=r"systemd.*, or: .*A_HASH is not set.*, or: .*does not exist"):
        several.read(folder, "api_hash")


def test_a_file_open_to_others_is_refused_and_not_passed_over(folder: Path) -> None:
    (folder / "hash").chmod(0o640)
    with pytest.raises(ConfigError, match=r"api_hash: .*; run: chmod 600 .*hash"):
        Secret(file=Path("hash"), env="NOT_SET").read(folder, "api_hash")


def test_the_keyring_answers_before_the_environment(folder: Path) -> None:
    (folder / "keyring").mkdir()
    (folder / "keyring" / "__init__.py").write_text(
        "def get_password(service, user):\n    return {('monitor', 'main'): 'from the keyring'}.get((service, user))\n"
    )
    (folder / "keyring" / "errors.py").write_text("class KeyringError(Exception): pass\n")
    read = (
        "from pathlib import Path; from monitor.secrets import Secret; import sys;"
        "print(Secret(keyring=sys.argv[1], env='A_HASH').read(Path('.'), 'api_hash'))"
    )
    path = os.pathsep.join((str(folder), str(Path(__file__).parents[2])))

    def ask(entry: str) -> str:
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.check_output(
            [sys.executable, "-c", read, entry], env=environment, text=True
        ).strip()

    assert ask("monitor/main") == "from the keyring"
    assert ask("monitor/other") == "from the environment"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe" + MARKER.encode()])
def test_no_error_quotes_what_a_file_holds(folder: Path, content: bytes) -> None:
    (folder / "hash").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Secret(file=Path("hash")).read(folder, "api_hash")
    assert MARKER not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_the_configuration_is_refused_without_quoting_it(tmp_path: Path) -> None:
    for text in (
        f"accounts:\n  - {{name: main, api_id: 1, api_hash: {MARKER}}}\n",
        f"session_key: {MARKER}\n",
        f"session_key: {{env: '{MARKER} '}}\n",
        f"telegram: {{proxy: 'socks5:/user:{MARKER}@host:1'}}\n",
    ):
        with pytest.raises(ConfigError) as caught:
            parse(text, tmp_path / "config.yaml")
        assert MARKER not in "".join(traceback.format_exception(caught.value))


def test_nothing_secret_shows_in_a_configuration_or_a_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_private(folder / "session.key", (MARKER + "0" * 16).encode())
    text = f"session_key: {{file: session.key}}\ntelegram: {{proxy: 'socks5://user:{MARKER}@host:1'}}\n"
    config = parse(text, folder / "config.yaml")
    with caplog.at_level(logging.DEBUG):
        assert config.sealing_key() == bytes.fromhex(MARKER + "0" * 16)
    assert MARKER not in repr(config) + str(config) + caplog.text


def test_no_command_takes_a_secret_as_an_argument() -> None:
    def names(command: object, path: str = "") -> list[str]:
        found = [f"{path} {p.name}" for p in getattr(command, "params", [])]
        for name, inner in getattr(command, "commands", {}).items():
            found += names(inner, f"{path} {name}")
        return found

    # The name of a list, and whether hashes are wanted.
    harmless = {"hash_list", "with_hashes"}
    taken = [name for name in names(get_command(app)) if name.split()[-1] not in harmless]
    assert len(taken) > 10
    for name in taken:
        last = name.split()[-1]
        assert not any(word in last for word in ("password", "secret", "hash", "code", "token", "phone")), (
            name
        )


def test_the_sealing_key_is_hexadecimal_and_lies_outside_the_state(folder: Path) -> None:
    state = folder / "state"
    state.mkdir(mode=0o700)
    write_private(folder / "good", KEY.encode())
    write_private(folder / "short", MARKER.encode())
    write_private(state / "inside", KEY.encode())
    assert sealing_key(Secret(file=Path("good")), folder, state, "session_key") == bytes.fromhex(KEY)
    with pytest.raises(ConfigError, match="openssl rand -hex 32") as caught:
        sealing_key(Secret(file=Path("short")), folder, state, "session_key")
    assert MARKER not in str(caught.value)
    with pytest.raises(ConfigError, match="keep it elsewhere"):
        sealing_key(Secret(file=Path("other/../state/inside")), folder, state, "session_key")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601, 0o777])
def test_loose_files_are_refused_with_the_command_that_mends_them(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a list.csv"
    path.touch()
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        private_file(path, "key")
    command = str(caught.value).partition("run: ")[2]
    assert command == f"chmod 600 '{path}'"
    subprocess.run(["sh", "-c", command], check=True)
    private_file(path, "key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_not_there_is_private(tmp_path: Path) -> None:
    private_file(tmp_path / "none", "key")


def test_a_key_is_written_once_and_privately_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(InputError, match="exists already"):
        write_private(tmp_path / "key", b"2")
    assert (tmp_path / "key").read_bytes() == b"1"


def test_a_replaced_key_is_overwritten_where_it_lay(tmp_path: Path) -> None:
    write_private(tmp_path / "key", MARKER.encode())
    write_private(tmp_path / "new", KEY.encode())
    os.link(tmp_path / "key", tmp_path / "the old file")
    replace_private(tmp_path / "key", tmp_path / "new")
    assert (tmp_path / "key").read_text() == KEY
    assert (tmp_path / "the old file").read_bytes() == bytes(len(MARKER))
    assert not (tmp_path / "new").exists()
