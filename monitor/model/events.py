"""Events: what must be provable."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


class EventType(enum.StrEnum):
    """What must be provable. The report log is the projection of these rows."""

    AUTHORIZATION_DECLARED = "authorization_declared"
    AUTHORIZATION_REVOKED = "authorization_revoked"
    CHANNEL_JOINED = "channel_joined"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_STOPPED = "channel_stopped"
    LIST_LOADED = "list_loaded"
    FLAG_RAISED = "flag_raised"
    EXPORT_MADE = "export_made"
    SIGNED_IN = "signed_in"
    PSEUDONYM_KEY_ROTATED = "pseudonym_key_rotated"
    RESCAN_REQUESTED = "rescan_requested"
    ENTRY_QUARANTINED = "entry_quarantined"
    ENTRY_RELEASED = "entry_released"
    LIST_LOOKED_UP = "list_looked_up"
    LIST_ENTRY_ADDED = "list_entry_added"
    LIST_ENTRY_REMOVED = "list_entry_removed"
    LOG_KEY_ROTATED = "log_key_rotated"
    OPERATOR_ADDED = "operator_added"
    OPERATOR_CHANGED = "operator_changed"
    RETENTION_RUN = "retention_run"
    ERASED = "erased"
    BACKUP_MADE = "backup_made"
    STORE_RESTORED = "store_restored"
    # What becomes of a case.
    FLAG_COMPLETED = "flag_completed"
    ENTRY_WITHDRAWN = "entry_withdrawn"
    ENTRY_RESTORED = "entry_restored"
    CASE_DECIDED = "case_decided"
    CASE_UNDONE = "case_undone"
    SECOND_OPINION_ASKED = "second_opinion_asked"
    CASE_ASSIGNED = "case_assigned"
    CASE_HELD = "case_held"
    CASE_HOLD_ENDED = "case_hold_ended"
    NEGATIVE_ADDED = "negative_added"
    NEGATIVE_ENDED = "negative_ended"
    REPORT_PREPARED = "report_prepared"
    REPORT_APPROVED = "report_approved"
    REPORT_SENT = "report_sent"
    REPORT_HANDED_OVER = "report_handed_over"
    REPORT_FAILED = "report_failed"
    REPORT_ACKNOWLEDGED = "report_acknowledged"
    REPORT_OUTCOME = "report_outcome"
    CORRECTION_OPENED = "correction_opened"
    CORRECTION_DONE = "correction_done"
    ESCALATION_OPENED = "escalation_opened"
    # On the way of a report: its notice, a mail, one item in the app.
    NOTICE_MADE = "notice_made"
    MAIL_BEGUN = "mail_begun"
    MAIL_PUT_OFF = "mail_put_off"
    ITEM_REPORTED = "item_reported"
    ITEM_NOT_REPORTED = "item_not_reported"


AUTOMATIC = "monitor"
"""Who acted, where nobody did: what falls due by itself."""

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `events`: `seq` counts from 0 without gaps; `body` holds ids and operators' declarations."""

    seq: int
    at: datetime
    type: EventType
    body: Mapping[str, Scalar]
