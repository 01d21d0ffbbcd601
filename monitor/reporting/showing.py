"""Addresses of a case's sightings, shown to a person: for a purpose, and never without its event."""

from collections.abc import Sequence
from datetime import datetime

from monitor.model import EventType, Scalar, Sighting
from monitor.reporting.acting import Case, act, needed, step
from monitor.store import SqlStore
from monitor.store.cases import Step
from monitor.store.sightings import sightings


async def addresses(
    store: SqlStore,
    case_id: int,
    *,
    operator: str,
    purpose: str | None,
    at: datetime,
    report_id: int | None = None,
) -> list[Sighting]:
    """The sightings of a case, or of one of its reports, once the event of their being shown is durable.

    Raises InputError without a purpose, and for a case or report that there is not.
    """
    why = needed(purpose, "--purpose", "say what the addresses are for")

    def rule(case: Case) -> Sequence[Step]:
        shown = len(case.record.items) if report_id is None else len(case.report(report_id).flags)
        body: dict[str, Scalar] = {
            "what": "case",
            "format": "terminal",
            "rows": shown,
            "report_id": report_id,
            "addresses": True,
            "purpose": why,
        }
        return [step(EventType.EXPORT_MADE, operator, body)]

    await act(store, case_id, rule, at)
    return await store.reader.run(sightings, case_id, report_id)
