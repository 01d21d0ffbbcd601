"""What is not kept for ever."""

import enum


class Purpose(enum.StrEnum):
    """What a time can be laid down for after which it is removed."""

    # First: what it no longer holds goes with the others in the same run.
    CASES = "cases"
    MESSAGES = "messages"
    DELETED_MESSAGES = "deleted_messages"
    SENDERS = "senders"
    COUNTERS = "counters"
    EVENT_BODIES = "event_bodies"
