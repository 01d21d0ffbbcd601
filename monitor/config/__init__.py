"""YAML → one frozen, validated `Config`. Unknown keys are refused; the message names key, line and remedy.

Reading a configuration opens nothing that it names: secrets, keys and lists are opened by the commands
that use them. Relative paths are relative to the configuration's own folder.
"""

from monitor.config.channels import AuthorizationRecord, ChannelEntry, Past
from monitor.config.exchanges import EXCHANGE_KEYS, ExchangeEntry
from monitor.config.lists import LOCAL, HashListEntry, ListLabel, ListTerms
from monitor.config.matching import Films, Matching, Perceptual
from monitor.config.media import Legal, Media, Video
from monitor.config.notices import Mailbox, Notices, Operator, Smtp
from monitor.config.reading import find, load, parse
from monitor.config.report_log import Authority, ReportLog
from monitor.config.reporting import Reporting
from monitor.config.retention import Period, Retention
from monitor.config.telegram import Account, Budgets, Line, Server, Telegram
from monitor.config.values import (
    INVITE,
    Beginning,
    Duration,
    Ending,
    Name,
    Section,
    Size,
    Username,
    Words,
    moment,
)
from monitor.config.whole import Config, KeyFile

__all__ = [
    "EXCHANGE_KEYS",
    "INVITE",
    "LOCAL",
    "Account",
    "Authority",
    "AuthorizationRecord",
    "Beginning",
    "Budgets",
    "ChannelEntry",
    "Config",
    "Duration",
    "Ending",
    "ExchangeEntry",
    "Films",
    "HashListEntry",
    "KeyFile",
    "Legal",
    "Line",
    "ListLabel",
    "ListTerms",
    "Mailbox",
    "Matching",
    "Media",
    "Name",
    "Notices",
    "Operator",
    "Past",
    "Perceptual",
    "Period",
    "ReportLog",
    "Reporting",
    "Retention",
    "Section",
    "Server",
    "Size",
    "Smtp",
    "Telegram",
    "Username",
    "Video",
    "Words",
    "find",
    "load",
    "moment",
    "parse",
]
