"""`monitor check`: everything that a run needs, tested before it."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from monitor.cli.frame import ConfigOption, JsonOption, command, moment, out, print_json, read_config

if TYPE_CHECKING:
    from monitor.config import Config, HashListEntry


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ok, note, warning or error, with the exit code that an error asks for."""

    what: str
    level: str
    detail: str
    exit_code: int = 0


@command
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Test configuration, secrets, keys, lists, authorizations, the store and the connection."""
    import asyncio

    settings = read_config(config)
    findings = [Finding("configuration", "ok", str(settings.path)), *_local(settings)]
    if all(finding.level != "error" for finding in findings):
        findings += asyncio.run(_accounts(settings))
    if json:
        print_json({"what": f.what, "level": f.level, "detail": f.detail} for f in findings)
    else:
        _show(findings)
    worst = max((f.exit_code for f in findings if f.level == "error"), default=0)
    raise typer.Exit(worst)


def _show(findings: list[Finding]) -> None:
    from rich.table import Table

    colours = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        colour = colours[finding.level]
        table.add_row(f"[{colour}]{finding.level}[/{colour}]", finding.what, finding.detail)
    out().print(table)


def _local(config: "Config") -> Iterator[Finding]:
    """What can be told without a connection."""
    from monitor import exchange_lists, prepare
    from monitor.state import private_state

    if not config.accounts:
        yield Finding("accounts", "error", "none is declared; add one with its api_id and api_hash", 2)
    for account in config.accounts:
        read = functools.partial(prepare.credentials, config, account.name)
        yield _try(f"account {account.name}", "its secret is readable", read)
    if config.telegram.server is not None:
        yield _try("telegram.server", "test data centre", functools.partial(prepare.endpoint, config))
    if config.session_key is not None:
        yield _try("session key", "sessions are sealed at rest", config.sealing_key)
    yield _try("pseudonym key", "present, private", functools.partial(prepare.pseudonyms, config))
    waiting = exchange_lists.waiting(config)
    for entry in config.exchanges:
        ask = functools.partial(entry.secrets, config.path.parent, str(config.path))
        yield _try(f"exchange {entry.name}", "its secrets are readable", ask)
    yield _report_log(config)
    for declared in config.hash_lists:
        if declared in waiting:
            what = f"nothing was fetched yet; run: monitor lists update {declared.exchange}"
            yield Finding(f"hash list {declared.name}", "warning", what)
            continue
        yield from _list(config, declared)
    if config.hash_lists:
        yield _search()
    budgets = config.telegram.budgets
    yield Finding(
        "budgets",
        "ok",
        f"each account: {budgets.joins_per_day:,} joins and {budgets.resolves_per_day:,} look-ups a day,"
        f" {budgets.pages_per_hour:,} pages and {budgets.file_parts_per_hour:,} file parts an hour",
    )
    if not config.hash_lists:
        yield Finding("hash lists", "warning", "none is declared: only metadata will be recorded")
    yield _try("state directory", str(config.state), functools.partial(private_state, config))
    yield from _people(config)
    yield from _confinement(config)
    yield from _legal(config)
    yield from _authorizations(config)
    if config.operator_details is not None:
        yield from _notices(config)


def _search() -> Finding:
    """What looks hashes up here."""
    from monitor.matching import backend

    if backend() == "numba":
        return Finding("search", "ok", "compiled")
    return Finding(
        "search", "warning", "numpy alone: as exact, several times slower; numba cannot compile here"
    )


def _report_log(config: "Config") -> Finding:
    if config.report_log is None:
        return Finding("report log", "warning", "none: what is recorded cannot be proved to others")
    found = _try("report log", f"{config.report_log.origin}, its key is present, private", config.log_key)
    if found.level == "ok" and not config.report_log.timestamps:
        return Finding("report log", "ok", f"{found.detail}; no authority time-stamps it")
    return found


def _list(config: "Config", declared: "HashListEntry") -> Iterator[Finding]:
    """One hash list, read whole; one whose terms have ended is not opened."""
    from monitor import clock, prepare
    from monitor.cli import list_concerns
    from monitor.errors import MonitorError

    what, now = f"hash list {declared.name}", clock.now()
    try:
        loaded = prepare.read_list(config, declared)
    except MonitorError as e:
        yield Finding(what, "error", str(e), e.exit_code)
        return
    said = list_concerns.of_declaration(config, declared, now)
    if not declared.expired(now):
        said += list_concerns.of_contents(declared, loaded)
    if not said:
        yield Finding(what, "ok", "every line is in order")
    yield from (Finding(what, "warning", each) for each in said)
    yield from (Finding(what, "note", each) for each in list_concerns.notes(loaded))


def _try(what: str, fine: str, look: Callable[[], object]) -> Finding:
    from monitor.errors import MonitorError

    try:
        look()
    except MonitorError as e:
        return Finding(what, "error", str(e), e.exit_code)
    return Finding(what, "ok", fine)


def _people(config: "Config") -> Iterator[Finding]:
    """Who may act, as far as there is a store that says so."""
    import asyncio

    from monitor.errors import MonitorError
    from monitor.store import open_reader
    from monitor.store.operators import Operator, everybody

    async def read() -> list[Operator]:
        async with open_reader(config.database) as reader:
            return await reader.run(everybody)

    try:
        known = asyncio.run(read()) if config.database.exists() else []
    except MonitorError as e:
        yield Finding("operators", "error", str(e), e.exit_code)
        return
    active = [one.name for one in known if one.disabled_at is None]
    if not known:
        detail = f"none was added: {config.operator} acts in every role; see monitor operators add"
        yield Finding("operators", "warning", detail)
    elif config.operator not in active:
        detail = f"{config.operator}, whom the configuration names, may not act; commands need --as NAME"
        yield Finding("operators", "warning", detail)
    else:
        yield Finding("operators", "ok", f"{len(active)}, {config.operator} among them")


def _confinement(config: "Config") -> Iterator[Finding]:
    """What would be in force, tried in processes that are confined for the purpose."""
    import json
    import subprocess
    import sys
    import tempfile

    from monitor.confinement import available

    # A run is refused only where nothing can keep the collector from writing; what else lacks is said.
    refused = config.confinement == "required" and not available().enough
    level, code = ("error", 2) if refused else ("warning", 0)
    for process in ("recorder", "collector", "decoder"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "monitor.confinement", process, folder]
            # Our own module, in our own interpreter.
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            yield Finding(f"confinement {process}", level, "cannot be tried on this machine", code)
            continue
        for measure in json.loads(done.stdout)["measures"]:
            what = f"{process}: {measure['name']}"
            held = measure["in_force"]
            yield Finding(what, "ok" if held else level, measure["how"], 0 if held else code)


def _legal(config: "Config") -> Iterator[Finding]:
    if config.legal is not None:
        yield Finding("legal", "ok", f"{config.legal.reference}, reviewed {config.legal.reviewed_on}")
    elif config.telegram.server is not None:
        yield Finding("legal", "ok", "not needed against a test data centre")
    else:
        yield Finding("legal", "warning", "no statement: no media is fetched, only metadata is recorded")


def _notices(config: "Config") -> Iterator[Finding]:
    """What notices are made with, for an operator who reports."""
    from monitor import clock, prepare
    from monitor.errors import MonitorError
    from monitor.reporting.notices import Templates, load_register, stale

    folder, file = config.notices.templates, config.notices.recipients
    read = functools.partial(Templates, config.resolve(folder) if folder else None)
    yield _try("notices", "every template is in order", read)
    try:
        register = load_register(config.resolve(file) if file else None)
        old = stale(register, clock.now().date())
    except MonitorError as e:
        yield Finding("register of recipients", "error", str(e), e.exit_code)
    else:
        detail = f"{len(register.recipients)} entries, dated {register.dated}"
        if old:
            detail += f"; {len(old)} not compared for 180 days with what the recipient publishes: monitor notice list"
        yield Finding("register of recipients", "warning" if old else "ok", detail)
    if config.smtp is not None:
        yield _try("smtp", "its secret is readable", functools.partial(prepare.mail_server, config))


def _authorizations(config: "Config") -> Iterator[Finding]:
    from monitor.clock import now

    if not config.channels:
        yield Finding("channels", "warning", "none is declared")
    for declared in config.declarations():
        what, authorization = f"channel {declared.username}", declared.authorization
        if authorization is None:
            yield Finding(what, "warning", "no authorization record; nothing will be asked about it")
            continue
        reason = authorization.refusal(now())
        lacking = [
            name
            for name, value in (
                ("document_sha256 (digest of the document)", authorization.document_sha256),
                ("approved_by (second approver)", authorization.approved_by),
            )
            if value is None
        ]
        if reason is not None:
            yield Finding(what, "warning", reason.explanation)
        elif lacking:
            yield Finding(what, "warning", f"its authorization lacks {' and '.join(lacking)}")
        else:
            yield Finding(what, "ok", f"authorized until {moment(authorization.valid_until)}")


async def _accounts(config: "Config") -> list[Finding]:
    """Connect each account and see that it is signed in; nothing is joined and nothing is read."""
    from monitor import prepare
    from monitor.errors import MonitorError, SourceUnavailable
    from monitor.model import Conduct
    from monitor.state import running
    from monitor.store import open_reader
    from monitor.telegram.client import connect
    from monitor.telegram.politeness import Politeness
    from monitor.telegram.sealing import unseal
    from monitor.telegram.session import StoredSession
    from monitor.telegram.timeline import boot

    if running(config.state):
        return [Finding("connection", "ok", "a running daemon holds the sessions; see monitor status")]
    findings = []
    for account in config.accounts:
        what = f"connection {account.name}"
        try:
            saved, conduct = None, Conduct(account.name)
            if config.database.exists():
                async with open_reader(config.database) as reader:
                    saved, conduct = await reader.session(account.name), await reader.conduct(account.name)
            session = StoredSession(account.name, saved and unseal(saved, config.sealing_key()))
            identity, server = prepare.credentials(config, account.name), prepare.endpoint(config)
            polite = Politeness(conduct, {}, boot=boot())
            async with connect(session, identity, server, key_pauses=(), politeness=polite):
                findings.append(Finding(what, "ok", "connected and signed in"))
        except SourceUnavailable as e:
            findings.append(Finding(what, "error", f"the platform cannot be reached: {e}", 3))
        except MonitorError as e:
            findings.append(Finding(what, "error", str(e), e.exit_code))
    return findings
