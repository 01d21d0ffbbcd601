"""Parquet with real types: 64-bit integers, truth values, times in microseconds with UTC, texts by dictionary."""

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.reporting.columns import Cells, Column
from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.formats.forward import Forward

GROUP = 65_536
"""Rows of a row group: what a reader has to hold at once."""
TYPES = {
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "text": pa.dictionary(pa.int32(), pa.string()),
}
"""The type of each kind of column."""


def schema(columns: tuple[Column, ...], what: str, marking: str | None) -> pa.Schema:
    """Names, types and meanings of the columns; the marking stands in the file's own metadata, at its end."""
    fields = [pa.field(c.name, TYPES[c.kind], metadata={"meaning": c.meaning}) for c in columns]
    told = {"what": what} | ({"marking": marking} if marking else {})
    return pa.schema(fields, metadata=told)


class ParquetWriter:
    """Row groups of `GROUP` rows, compressed with Snappy."""

    def __init__(self, out: Out, head: Head) -> None:
        self._schema = schema(head.columns, head.what, head.marking)
        self._columns = head.columns
        self._file = pq.ParquetWriter(Forward(out), self._schema)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, page: Page) -> None:
        """Take the next rows."""
        arrays = [_array(column, cells) for column, cells in zip(self._columns, page, strict=True)]
        batch = pa.record_batch(arrays, schema=self._schema)
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP:
            self._write_group()

    def finish(self) -> None:
        """The last row group and the index at the end."""
        if self._waiting:
            self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        group = pa.Table.from_batches(self._waiting).unify_dictionaries()
        self._file.write_table(group, row_group_size=GROUP)
        self._waiting, self._rows = [], 0


def _array(column: Column, cells: Cells) -> pa.Array:
    if column.kind == "text":
        return pa.array(cells, pa.string()).dictionary_encode()
    return pa.array(cells, TYPES[column.kind])
