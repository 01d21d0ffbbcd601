"""How accounts behaved: what they spent of their budgets, the pauses they were asked for, whether they work."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, select

from monitor.model import AccountReason, AccountState, Budget, Conduct, Moment, Spent, Waits
from monitor.store.engine import insert
from monitor.store.schema import accounts, flood_waits
from monitor.store.schema import spent as spending


def conduct(conn: Connection, account: str) -> Conduct:
    """All that is on record of an account; see `ports.Store.conduct`."""
    found = conn.execute(select(accounts).where(accounts.c.account == account)).one_or_none()
    if found is None:
        return Conduct(account)
    spent = conn.execute(select(spending).where(spending.c.account == account).order_by(spending.c.at))
    waits = conn.execute(
        select(flood_waits).where(flood_waits.c.account == account).order_by(flood_waits.c.method)
    )
    return Conduct(
        account=account,
        state=AccountState(found.state),
        reason=None if found.reason is None else AccountReason(found.reason),
        since=found.since,
        joins_paused_until=found.joins_paused_until,
        last=Moment(found.last_at, found.last_elapsed, found.last_boot),
        spent=tuple(Spent(Budget(row.budget), row.at, row.count) for row in spent.mappings()),
        waits=tuple(Waits(row.method, row.until, row.count, row.seconds) for row in waits.mappings()),
    )


def spend(conn: Connection, account: str, spent: Spent, now: Moment, keep_since: datetime) -> None:
    """Note what is about to be spent; see `ports.Store.spend`."""
    if spent.count < 1:
        raise ValueError("what is spent is at least one")
    table = spending.c
    conn.execute(
        delete(spending).where(
            table.account == account, table.budget == spent.budget.value, table.at < keep_since
        )
    )
    new = insert(spending).values(account=account, budget=spent.budget.value, at=spent.at, count=spent.count)
    conn.execute(
        new.on_conflict_do_update(
            index_elements=[table.account, table.budget, table.at],
            set_={"count": table.count + new.excluded.count},
        )
    )
    _note(conn, account, now)


def flood_wait(conn: Connection, account: str, method: str, seconds: int, now: Moment) -> None:
    """Note a pause that the platform asked for; see `ports.Store.flood_wait`."""
    table = flood_waits.c
    new = insert(flood_waits).values(
        account=account, method=method, until=now.at + timedelta(seconds=seconds), count=1, seconds=seconds
    )
    conn.execute(
        new.on_conflict_do_update(
            index_elements=[table.account, table.method],
            set_={
                "until": case((table.until > new.excluded.until, table.until), else_=new.excluded.until),
                "count": table.count + 1,
                "seconds": table.seconds + new.excluded.seconds,
            },
        )
    )
    _note(conn, account, now)


def pause_joins(conn: Connection, account: str, until: datetime, now: Moment) -> None:
    """No joins for a while; see `ports.Store.pause_joins`."""
    before = conduct(conn, account).joins_paused_until
    _note(conn, account, now, joins_paused_until=until if before is None else max(before, until))


def account_state(
    conn: Connection, account: str, state: AccountState, reason: AccountReason | None, now: Moment
) -> None:
    """Whether the account can work; see `ports.Store.account_state`."""
    before = conduct(conn, account)
    if before.since is not None and (before.state, before.reason) == (state, reason):
        _note(conn, account, now)
        return
    _note(conn, account, now, state=state.value, reason=reason and reason.value, since=now.at)


def _note(conn: Connection, account: str, now: Moment, **values: Any) -> None:
    """Write what changed of an account, and the moment."""
    values |= {"last_at": now.at, "last_elapsed": now.elapsed, "last_boot": now.boot}
    new = insert(accounts).values({"account": account, "state": AccountState.ACTIVE.value} | values)
    conn.execute(new.on_conflict_do_update(index_elements=[accounts.c.account], set_=values))
