"""A list that is kept here, by `monitor hash --to-list`; an entry whose time is over is left out."""

from monitor.matching.entries import Entries, Place
from monitor.matching.formats import Format
from monitor.matching.list_file import ListFile
from monitor.matching.local_list import rows
from monitor.model import Algorithm


def _read(file: ListFile, entries: Entries) -> None:
    # When every consent has been withdrawn nothing is left, and what was in force before must end.
    entries.may_be_empty(Algorithm.SHA256)
    for number, row in rows(file):
        if isinstance(row, str):
            entries.bad(Place(number), row)
        elif row.expired(entries.at):
            entries.withdraw("")
        else:
            entries.add(Place(number), row.algorithm, row.value, row.entry, row.label)


FORMAT = Format(_read)
