"""Saved sessions: keys and ids of accounts, and the access hashes of their channels."""

from sqlalchemy import Connection, delete, insert, select

from monitor.model import ChannelId, SessionState, UpdateState
from monitor.store.schema import peers, sessions


def load(conn: Connection, account: str) -> SessionState | None:
    """The account's session, or None."""
    row = conn.execute(select(sessions).where(sessions.c.account == account)).one_or_none()
    if row is None:
        return None
    hashes = conn.execute(select(peers.c.channel_id, peers.c.access_hash).where(peers.c.account == account))
    return SessionState(
        account=row.account,
        dc=row.dc,
        host=row.host,
        port=row.port,
        auth_key=row.auth_key,
        user_id=row.user_id,
        bot=bool(row.bot),
        updates=None
        if row.date is None
        else UpdateState(pts=row.pts, qts=row.qts, date=row.date, seq=row.seq),
        peers={ChannelId(channel): access_hash for channel, access_hash in hashes},
    )


def save(conn: Connection, state: SessionState) -> None:
    """Replace the account's session and all of its peers."""
    forget(conn, state.account)
    updates = state.updates
    conn.execute(
        insert(sessions).values(
            account=state.account,
            dc=state.dc,
            host=state.host,
            port=state.port,
            auth_key=state.auth_key,
            user_id=state.user_id,
            bot=state.bot,
            pts=updates and updates.pts,
            qts=updates and updates.qts,
            date=updates and updates.date,
            seq=updates and updates.seq,
        )
    )
    if state.peers:
        conn.execute(
            insert(peers),
            [
                {"account": state.account, "channel_id": channel, "access_hash": access_hash}
                for channel, access_hash in state.peers.items()
            ],
        )


def forget(conn: Connection, account: str) -> None:
    """Remove the account's session; its peers go with it."""
    conn.execute(delete(sessions).where(sessions.c.account == account))
