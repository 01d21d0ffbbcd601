"""`monitor run` and `monitor status`."""

from monitor.cli.frame import ConfigOption, command, read_config


@command
def run(config: ConfigOption = None) -> None:
    """Collect until stopped by SIGTERM or Ctrl-C."""
    import asyncio

    from monitor import logs
    from monitor.cli.bars import history_bars
    from monitor.daemon import Prepared, announce, prepare, stop_on_signals
    from monitor.daemon import run as collect

    prepared = prepare(read_config(config))
    logs.set_up()
    announce(prepared)

    async def until_stopped(prepared: Prepared) -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        with history_bars() as progress:
            await collect(prepared, stop, progress)

    asyncio.run(until_stopped(prepared))
