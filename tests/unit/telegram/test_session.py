"""Sessions at rest: nothing but keys and ids, and with a key of ours not even those are usable."""

import random
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.model import ChannelId, SessionState
from monitor.store import open_store
from monitor.telegram.sealing import OVERHEAD, is_sealed, seal, unseal
from monitor.telegram.session import StoredSession

AUTH_KEY = random.Random(1).randbytes(256)
KEY, OTHER = bytes(range(32)), bytes(32)


def state(account: str = "main", auth_key: bytes = AUTH_KEY) -> SessionState:
    return SessionState(account, 2, "127.0.0.1", 443, auth_key, user_id=7, peers={ChannelId(5): 6})


def test_a_sealed_session_opens_with_its_key_and_is_the_same() -> None:
    sealed = seal(state(), KEY)
    assert is_sealed(sealed) and not is_sealed(state())
    assert len(sealed.auth_key) == 256 + OVERHEAD
    assert unseal(sealed, KEY) == state()


def test_no_part_of_the_auth_key_is_in_a_sealed_session() -> None:
    sealed = seal(state(), KEY).auth_key
    assert not any(AUTH_KEY[n : n + 4] in sealed for n in range(253))
    assert sealed != seal(state(), KEY).auth_key, "a nonce serves once"


def test_without_a_key_sessions_stay_as_they_are() -> None:
    assert seal(state(), None) == state() == unseal(state(), None)


def test_a_session_from_before_the_key_still_opens() -> None:
    assert unseal(state(), KEY) == state()


@pytest.mark.parametrize("key", [OTHER, None], ids=["another", "none"])
def test_a_missing_or_wrong_key_is_named_with_its_remedy(key: bytes | None) -> None:
    with pytest.raises(ConfigError, match=r"session_key: .*account main.*monitor login main") as caught:
        unseal(seal(state(), KEY), key)
    assert AUTH_KEY.hex() not in "".join(traceback.format_exception(caught.value))


def test_one_accounts_sealed_key_does_not_open_in_anothers_row() -> None:
    with pytest.raises(ConfigError):
        unseal(state("second", seal(state(), KEY).auth_key), KEY)


def test_no_flipped_bit_goes_unseen() -> None:
    sealed = seal(state(), KEY).auth_key
    for place in range(8, len(sealed)):
        flipped = bytearray(sealed)
        flipped[place] ^= 1
        with pytest.raises(ConfigError):
            unseal(state(auth_key=bytes(flipped)), KEY)


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


async def test_the_files_of_the_store_hold_no_auth_key(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.sqlite3") as store:
        await store.save_session(seal(state(), KEY))
        written = contents(tmp_path)
        saved = await store.session("main")
    assert saved is not None and unseal(saved, KEY) == state()
    for content in written + contents(tmp_path):
        assert AUTH_KEY[:16] not in content
    with closing(StoredSession("main", unseal(saved, KEY))) as session:
        assert session.auth_key.key == AUTH_KEY


def test_neither_key_shows_in_a_repr() -> None:
    shown = repr(state()) + repr(seal(state(), KEY)) + repr(StoredSession("main", state()))
    assert AUTH_KEY.hex()[:16] not in shown and repr(AUTH_KEY)[2:20] not in shown
