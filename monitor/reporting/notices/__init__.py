"""Notices: what a report says to whom, from templates, with a register of recipients.

`missing` says what a route still needs, `render` makes the notice, `eml` a mail of it, `send` sends that mail
where a person approved the report. See docs/notices.md.
"""

from monitor.reporting.notices.facts import Particulars, category_of
from monitor.reporting.notices.mail import eml
from monitor.reporting.notices.notice import Notice, information_sheet, render
from monitor.reporting.notices.register import Recipient, Register, load_register, stale
from monitor.reporting.notices.requirements import REQUIREMENTS, missing
from monitor.reporting.notices.sending import Approval, MailServer, Sent, compose, send
from monitor.reporting.notices.sightings import read_sightings
from monitor.reporting.notices.templates import Templates

__all__ = [
    "REQUIREMENTS",
    "Approval",
    "MailServer",
    "Notice",
    "Particulars",
    "Recipient",
    "Register",
    "Sent",
    "Templates",
    "category_of",
    "compose",
    "eml",
    "information_sheet",
    "load_register",
    "missing",
    "read_sightings",
    "render",
    "send",
    "stale",
]
