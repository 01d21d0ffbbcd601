"""Signal types by name: built in, from imagehash, from another package."""

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from monitor.errors import ConfigError, MediaUndecodable
from monitor.matching import SignalType, hash_image, hash_signal, register, signal_names, signal_type
from monitor.model import Algorithm
from monitor.testdc.films import film
from tests.unit.matching import pictures
from tests.unit.matching.test_hash_image import saved

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "block-mean"


def test_every_algorithm_of_the_daemon_is_a_signal_type() -> None:
    assert {a.value for a in Algorithm} <= set(signal_names())
    data = saved(pictures.photo(1, 200, 150))
    found = hash_image(data)
    assert hash_signal(data, "pdq") == (found.pdq,)
    assert hash_signal(data, "phash") == (found.phash,)
    assert hash_signal(data, "dhash") == (found.dhash,)
    assert hash_signal(data, "sha1") == (hashlib.sha1(data, usedforsecurity=False).digest(),)
    for name in (n for n in signal_names() if not n.startswith("test.")):
        data = film(1, 1, 160, 120) if name == "vpdq" else saved(pictures.photo(1, 200, 150))
        signal = signal_type(name)
        values = hash_signal(data, name)
        assert values
        assert {len(value) for value in values} == {signal.size}
        assert signal.distance(values[0], values[0]) == 0


@pytest.mark.parametrize(
    ("name", "function"), [("ahash", "average_hash"), ("whash", "whash"), ("colorhash", "colorhash")]
)
def test_imagehashs_kinds_have_its_hex_and_see_the_normalised_picture(name: str, function: str) -> None:
    image = Image.fromarray(pictures.photo(2, 300, 200)).quantize(64)
    rgb = image.convert("RGB")
    [value] = hash_signal(saved(image), name)
    assert int(value.hex(), 16) == int(str(getattr(imagehash, function)(rgb)), 16)


def test_a_crop_resistant_hash_has_a_value_for_each_segment() -> None:
    image = Image.fromarray(pictures.photo(3, 300, 200))
    expected = str(imagehash.crop_resistant_hash(image)).split(",")
    assert [value.hex() for value in hash_signal(saved(image), "crop_resistant")] == expected


@pytest.mark.parametrize("name", ["pdq", "whash", "crop_resistant"])
def test_what_is_no_picture_has_none(name: str) -> None:
    with pytest.raises(MediaUndecodable):
        hash_signal(b"words", name)


def test_a_type_of_ones_own_is_registered_once() -> None:
    length = SignalType("test.length", 4, lambda data: (len(data).to_bytes(4, "big"),))
    register(length)
    register(length)
    assert hash_signal(b"four", "test.length") == (b"\0\0\0\4",)
    with pytest.raises(ConfigError, match=r"two signal types are named test\.length"):
        register(SignalType("test.length", 5, length.values))
    with pytest.raises(ConfigError, match="two signal types are named pdq"):
        register(SignalType("pdq", 32, length.values))


def test_a_value_of_another_length_than_declared_is_refused() -> None:
    register(SignalType("test.wrong", 4, lambda data: (data,)))
    with pytest.raises(ConfigError, match="has not its 4 bytes"):
        hash_signal(b"three", "test.wrong")


@pytest.mark.parametrize(("name", "size", "distance"), [("two words", 4, 0), ("x", 0, 0), ("x", 1, -1)])
def test_a_type_that_makes_no_sense_cannot_be_made(name: str, size: int, distance: int) -> None:
    with pytest.raises(ValueError, match="a signal type has"):
        SignalType(name, size, lambda data: (), distance)


def test_a_name_that_nobody_has_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no signal type nonsense: there are ahash, colorhash"):
        signal_type("nonsense")


def installed(folder: Path, name: str, target: str) -> None:
    """What an installer leaves of a package: metadata with an entry point."""
    info = folder / f"{target.partition(':')[0]}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {info.name[:-14]}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[channel_monitor.signals]\n{name} = {target}\n")


def run(code: str, *paths: Path) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_example_package_adds_its_type(tmp_path: Path) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    [(name, target)] = project["entry-points"]["channel_monitor.signals"].items()
    installed(tmp_path, name, target)
    picture = tmp_path / "picture"
    picture.write_bytes(saved(pictures.photo(4, 100, 100)))
    code = (
        "import sys\n"
        "from monitor.matching import hash_signal, signal_names, signal_type\n"
        "assert 'block-mean' in signal_names() and 'block_mean' not in sys.modules\n"
        f"data = open({str(picture)!r}, 'rb').read()\n"
        "[value] = hash_signal(data, 'block-mean')\n"
        "print(len(value), signal_type('block-mean').max_distance)"
    )
    assert run(code, tmp_path, EXAMPLE) == "32 24"


def test_two_packages_with_one_name_and_no_type_at_all_are_errors(tmp_path: Path) -> None:
    installed(tmp_path, "twice", "json:loads")
    installed(tmp_path, "twice", "string:digits")
    installed(tmp_path, "other", "base64:b64encode")
    installed(tmp_path, "pdq", "textwrap:dedent")
    code = (
        "from monitor.errors import ConfigError\n"
        "from monitor.matching import signal_type\n"
        "for name in ('twice', 'other'):\n"
        "    try: signal_type(name)\n"
        "    except ConfigError as e: print(e)\n"
        "print(signal_type('pdq').size)"
    )
    twice, other, built_in = run(code, tmp_path).splitlines()
    assert twice.endswith("two packages add it")
    assert "names no signal type of that name" in other
    assert built_in == "32"
