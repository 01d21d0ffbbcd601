"""Plain text: a hash a line, lines with # are comments."""

from monitor.matching.entries import Entries, Place
from monitor.matching.formats import Format
from monitor.matching.lines import batches
from monitor.matching.list_file import ListFile


def _read(file: ListFile, entries: Entries) -> None:
    algorithm = entries.wanted
    if algorithm is None:
        raise file.refused("a text list does not say what its hashes are; declare its algorithm")
    for first, lines in batches(file):
        values = [value for line in lines if (value := line.strip()) and not value.startswith("#")]
        if values and not entries.add_all(algorithm, values, (), ()):
            rows = ((Place(number), line.strip(), "", "") for number, line in enumerate(lines, first))
            entries.add_each(algorithm, (row for row in rows if row[1] and not row[1].startswith("#")))


FORMAT = Format(_read)
