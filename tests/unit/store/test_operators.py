"""Who may act in which role, and what is kept of a password."""

import sqlite3
import unicodedata
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from monitor.errors import InputError, NotPermitted
from monitor.model import EventType, Role
from monitor.store import SqlStore, open_store
from monitor.store.operators import (
    Operator,
    add,
    change,
    everybody,
    require,
    set_password,
    verify_password,
)
from tests.contract.making import START, later

WORDS = "correct horse battery"
TYPED = "아주 긴 비밀번호 하나 더"  # composed; other keyboards send the parts of each syllable


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        await store.run(add, "root", [Role.ADMIN], operator="me", at=START)
        await store.run(add, "ann", [Role.REVIEWER], operator="root", at=START)
        yield store


def kept(tmp_path: Path, name: str) -> str | None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as db:
        [(found,)] = db.execute("SELECT password_hash FROM operators WHERE name = ?", (name,)).fetchall()
    return None if found is None else str(found)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def people(store: SqlStore) -> dict[str, Operator]:
    return {one.name: one for one in await store.reader.run(everybody)}


def allowed(known: list[Operator], name: str, role: Role) -> bool:
    try:
        require(known, "me", name, role)
    except NotPermitted as e:
        assert e.exit_code == 5
        return False
    return True


# -- roles


def test_until_the_first_is_added_there_is_one_person_with_every_role() -> None:
    assert all(allowed([], "me", role) for role in Role)
    assert not any(allowed([], "somebody", role) for role in Role)


@pytest.mark.parametrize("has", Role)
def test_each_role_includes_viewer_and_none_another(has: Role) -> None:
    person = Operator("ann", frozenset({has}), False, START)
    assert {role for role in Role if allowed([person], "ann", role)} == {has, Role.VIEWER}


def test_who_is_unknown_or_disabled_may_not_even_look() -> None:
    disabled = Operator("ann", frozenset(Role), False, START, START + timedelta(days=1))
    for name in ("ann", "bob", "me"):
        assert not any(allowed([disabled], name, role) for role in Role)
    with pytest.raises(NotPermitted, match="disabled on 2026-11-02"):
        require([disabled], "me", "ann", Role.VIEWER)
    with pytest.raises(NotPermitted, match="operators add bob --role exporter"):
        require([disabled], "me", "bob", Role.EXPORTER)


async def test_the_first_has_to_be_an_admin_and_nobody_is_added_twice(tmp_path: Path) -> None:
    async with open_store(tmp_path / "empty.sqlite3") as store:
        with pytest.raises(InputError, match="--role admin"):
            await store.run(add, "ann", [Role.REVIEWER], operator="me", at=START)
        await store.run(add, "ann", Role, operator="me", at=START)
        with pytest.raises(InputError, match="already"):
            await store.run(add, "ann", [Role.ADMIN], operator="ann", at=START)
        with pytest.raises(InputError, match="letters, digits"):
            await store.run(add, "two words", [Role.ADMIN], operator="ann", at=START)
        with pytest.raises(InputError, match="at least one role"):
            await store.run(add, "bob", [], operator="ann", at=START)
        assert await store.reader.next_event() == 1


async def test_an_admin_is_always_left(store: SqlStore) -> None:
    for wish in ({"disabled": True}, {"roles": [Role.REVIEWER]}):
        with pytest.raises(InputError, match="the only admin"):
            await store.run(change, "root", operator="root", at=later(1), **wish)
    assert await store.run(change, "ann", roles=[Role.ADMIN], operator="root", at=later(1))
    assert await store.run(change, "root", disabled=True, operator="ann", at=later(2))
    with pytest.raises(InputError, match="the only admin"):
        await store.run(change, "ann", disabled=True, operator="ann", at=later(3))


async def test_each_change_is_an_event_and_no_change_is_none(store: SqlStore) -> None:
    assert await store.run(change, "ann", roles=[Role.VIEWER, Role.EXPORTER], operator="root", at=later(1))
    assert not await store.run(
        change, "ann", roles=[Role.EXPORTER, Role.VIEWER], operator="root", at=later(2)
    )
    assert await store.run(change, "ann", disabled=True, operator="root", at=later(3))
    assert not await store.run(change, "ann", disabled=True, operator="root", at=later(4))
    found = (await people(store))["ann"]
    assert (found.roles, found.disabled_at) == ({Role.VIEWER, Role.EXPORTER}, later(3))
    assert await store.run(change, "ann", disabled=False, operator="root", at=later(5))
    events = [(e.type, dict(e.body)) async for e in store.reader.events()]
    usual = {"name": "ann", "roles": "exporter viewer", "operator": "root"}
    assert events == [
        (EventType.OPERATOR_ADDED, {"name": "root", "roles": "admin", "operator": "me"}),
        (EventType.OPERATOR_ADDED, {"name": "ann", "roles": "reviewer", "operator": "root"}),
        (EventType.OPERATOR_CHANGED, usual | {"disabled": False}),
        (EventType.OPERATOR_CHANGED, usual | {"disabled": True}),
        (EventType.OPERATOR_CHANGED, usual | {"disabled": False}),
    ]
    with pytest.raises(InputError, match="is no operator"):
        await store.run(change, "bob", disabled=True, operator="root", at=later(1))


# -- passwords


async def test_a_password_opens_for_its_person_alone(store: SqlStore) -> None:
    await set_password(store, "ann", WORDS, operator="root", at=later(1))
    found = await verify_password(store, "ann", WORDS)
    assert found is not None
    assert (found.name, found.may(Role.REVIEWER), found.password) == ("ann", True, True)
    for name, password in (
        ("ann", WORDS + "!"),
        ("ann", ""),
        ("root", WORDS),
        ("bob", WORDS),
        ("bob", ""),
    ):
        assert await verify_password(store, name, password) is None
    await store.run(change, "ann", disabled=True, operator="root", at=later(2))
    assert await verify_password(store, "ann", WORDS) is None


async def test_a_password_is_the_same_on_every_keyboard(store: SqlStore) -> None:
    await set_password(store, "ann", TYPED, operator="root", at=later(1))
    decomposed = unicodedata.normalize("NFD", TYPED)
    assert decomposed != TYPED
    assert await verify_password(store, "ann", decomposed) is not None


async def test_nothing_of_a_password_is_in_an_event_or_in_the_file(store: SqlStore, tmp_path: Path) -> None:
    await set_password(store, "ann", WORDS, operator="root", at=later(1))
    hashed = kept(tmp_path, "ann")
    assert hashed is not None
    assert hashed.startswith("$argon2id$")
    event = [e async for e in store.reader.events()][-1]
    assert (event.type, event.body) == (
        EventType.OPERATOR_CHANGED,
        {"name": "ann", "password": True, "operator": "root"},
    )
    assert WORDS.encode() not in everything(tmp_path)


async def test_a_short_or_an_endless_password_is_refused(store: SqlStore, tmp_path: Path) -> None:
    for password in ("", "x" * 11, "x" * 257):
        with pytest.raises(InputError, match="12 to 256"):
            await set_password(store, "ann", password, operator="root", at=later(1))
    with pytest.raises(InputError, match="is no operator"):
        await set_password(store, "bob", WORDS, operator="root", at=later(1))
    assert kept(tmp_path, "ann") is None


async def test_a_password_under_older_parameters_is_kept_anew_when_it_was_right(
    store: SqlStore, tmp_path: Path
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(WORDS)
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as db:
        db.execute("UPDATE operators SET password_hash = ? WHERE name = 'ann'", (weak,))
        db.commit()
    assert await verify_password(store, "ann", "wrong" * 4) is None
    assert kept(tmp_path, "ann") == weak
    assert await verify_password(store, "ann", WORDS) is not None
    fresh = kept(tmp_path, "ann")
    assert fresh != weak
    assert await verify_password(store, "ann", WORDS) is not None
    assert kept(tmp_path, "ann") == fresh
