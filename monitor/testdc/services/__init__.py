"""The methods that the test data centre answers, a small service each."""

from __future__ import annotations

from monitor.testdc.dispatch import Dispatcher
from monitor.testdc.services import (
    channels,
    config,
    dialogs,
    history,
    qr,
    report,
    signin,
    updates,
    upload,
    users,
)


def dispatcher() -> Dispatcher:
    """All services together."""
    modules = (config, signin, qr, users, channels, history, dialogs, report, updates, upload)
    return Dispatcher(tuple(module.SERVICE for module in modules))
