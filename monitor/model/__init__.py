"""The values that travel from the wire to the report.

Frozen and slotted, standard library alone. No field can carry a sentence from a message: integers,
enumerations, times, digests and short identifiers with an alphabet of their own. What an operator
declares (authorizations, purposes) is free text, and only there; a line of the platform's own menu is a
`Label`. All datetimes are aware UTC.
"""

from monitor.model.accounts import (
    AccountReason,
    AccountState,
    Budget,
    Conduct,
    Moment,
    SessionState,
    Spent,
    UpdateState,
    Waits,
)
from monitor.model.cases import CaseState, EntryStanding, ReasonCode
from monitor.model.channels import (
    Authorization,
    Backfill,
    Basis,
    Channel,
    ChannelState,
    ChatKind,
    Declaration,
    Profile,
    Refusal,
)
from monitor.model.coverage import Batch, Coverage, Look, Recorded, Span
from monitor.model.errands import (
    LONGEST_COMMENT,
    LONGEST_LABEL,
    LONGEST_PATH,
    MOST_LABELS,
    Approval,
    Errand,
    ErrandFailure,
    ErrandState,
    InAppReport,
    Label,
    Told,
)
from monitor.model.events import AUTOMATIC, Event, EventType, Scalar
from monitor.model.hashes import Algorithm, Hash
from monitor.model.ids import IDENTIFIER, MAILBOX, USERNAME, CaseId, ChannelId, FlagId, MediaId, MessageId
from monitor.model.lists import Category, HashEntry, ListAction, ListVersion, Provenance, Terms
from monitor.model.matches import Examined, Flag, Match
from monitor.model.media import (
    FETCHED_KINDS,
    Frame,
    MediaHashes,
    MediaKind,
    MediaOutcome,
    MediaRef,
    PendingMedia,
)
from monitor.model.messages import Counters, Forward, MessageKind, MessageRecord, Restriction, Source
from monitor.model.people import OperatorDetails, Role
from monitor.model.reports import ROUTES, ReportingPolicy, ReportOutcome, ReportState, Route, Sighting
from monitor.model.retention import Purpose
from monitor.model.totals import Totals

__all__ = [
    "AUTOMATIC",
    "FETCHED_KINDS",
    "IDENTIFIER",
    "LONGEST_COMMENT",
    "LONGEST_LABEL",
    "LONGEST_PATH",
    "MAILBOX",
    "MOST_LABELS",
    "ROUTES",
    "USERNAME",
    "AccountReason",
    "AccountState",
    "Algorithm",
    "Approval",
    "Authorization",
    "Backfill",
    "Basis",
    "Batch",
    "Budget",
    "CaseId",
    "CaseState",
    "Category",
    "Channel",
    "ChannelId",
    "ChannelState",
    "ChatKind",
    "Conduct",
    "Counters",
    "Coverage",
    "Declaration",
    "EntryStanding",
    "Errand",
    "ErrandFailure",
    "ErrandState",
    "Event",
    "EventType",
    "Examined",
    "Flag",
    "FlagId",
    "Forward",
    "Frame",
    "Hash",
    "HashEntry",
    "InAppReport",
    "Label",
    "ListAction",
    "ListVersion",
    "Look",
    "Match",
    "MediaHashes",
    "MediaId",
    "MediaKind",
    "MediaOutcome",
    "MediaRef",
    "MessageId",
    "MessageKind",
    "MessageRecord",
    "Moment",
    "OperatorDetails",
    "PendingMedia",
    "Profile",
    "Provenance",
    "Purpose",
    "ReasonCode",
    "Recorded",
    "Refusal",
    "ReportOutcome",
    "ReportState",
    "ReportingPolicy",
    "Restriction",
    "Role",
    "Route",
    "Scalar",
    "SessionState",
    "Sighting",
    "Source",
    "Span",
    "Spent",
    "Terms",
    "Told",
    "Totals",
    "UpdateState",
    "Waits",
]
