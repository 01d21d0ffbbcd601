"""A machine whose clock is beyond the protocol's numbers says so, and nothing else is tried."""

import pytest

from monitor.errors import SourceUnavailable
from monitor.telegram.access import Credentials
from monitor.telegram.client import connect
from monitor.telegram.session import StoredSession
from tests.faults.wire import virtual
from tests.faults.wire.virtual import Clock


def test_a_clock_beyond_2038_is_named() -> None:
    async def main(clock: Clock) -> None:
        clock.step = 20 * 365 * 86_400.0
        async with connect(StoredSession("main"), Credentials(1, "0" * 32), None):
            pass

    with pytest.raises(SourceUnavailable, match="clock is beyond January 2038"):
        virtual.run(main)
