"""Comma-separated values (RFC 4180, but a record is one line); tabs when the file is named .tsv."""

from monitor.matching.entries import Entries
from monitor.matching.formats import Format
from monitor.matching.list_file import ListFile
from monitor.matching.table import read_table


def _read(file: ListFile, entries: Entries) -> None:
    read_table(file, entries, "\t" if file.path.suffix.lower() == ".tsv" else ",")


FORMAT = Format(_read)
