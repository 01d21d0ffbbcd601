"""Tab-separated values, otherwise as csv."""

from monitor.matching.entries import Entries
from monitor.matching.formats import Format
from monitor.matching.list_file import ListFile
from monitor.matching.table import read_table


def _read(file: ListFile, entries: Entries) -> None:
    read_table(file, entries, "\t")


FORMAT = Format(_read)
