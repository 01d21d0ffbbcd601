"""Numbers and names by which things are known, and what names are made of."""

import re
from typing import NewType

ChannelId = NewType("ChannelId", int)
"""The bare positive id of a channel or supergroup, without the -100 prefix of the bot API."""
MessageId = NewType("MessageId", int)
MediaId = NewType("MediaId", int)
"""Photo or document id: the same for every account, and kept through forwards."""
FlagId = NewType("FlagId", int)
CaseId = NewType("CaseId", int)

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""What entry, list and account names are made of."""
USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
"""A public username, as the platform allows it."""
MAILBOX = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
"""A mail address in RFC 5322's plain form: ASCII, without display name, quotes or comment."""
