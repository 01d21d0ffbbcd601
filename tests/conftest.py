"""The longest tests come first; what a proof measured is printed below its outcome: record_property("figures", …)."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes minutes would otherwise run alone at the end, and leave the other processes without work.
    items.sort(key=_longest_allowed, reverse=True)


def _longest_allowed(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Through reports, so that it comes from other processes too.
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    lines = [
        f"{report.nodeid.split('::')[-1]}: {value}"
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figures" and getattr(report, "when", "") == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        for line in sorted(lines):
            terminalreporter.line(line)
