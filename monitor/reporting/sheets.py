"""What can be exported: a table entry for each, with its columns and its rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.errors import InputError
from monitor.reporting import columns
from monitor.reporting.columns import Column


@dataclass(frozen=True, slots=True)
class Sheet:
    """One kind of export. `columns` are what everybody may have; `addressed` takes their place with addresses, after
    which come `addresses`, with hashes `hashes`, and at last `more`, which was added later."""

    columns: tuple[Column, ...]
    addressed: tuple[Column, ...] = ()
    addresses: tuple[Column, ...] = ()
    hashes: tuple[Column, ...] = ()
    more: tuple[Column, ...] = ()

    def chosen(self, what: str, addresses: bool, hashes: bool) -> tuple[Column, ...]:
        """The columns, in order. Raises InputError for addresses or hashes that it does not have."""
        if addresses and not (self.addressed or self.addresses):
            raise InputError(
                f"export {what}: has no addresses of flagged messages; leave --with-addresses out"
            )
        if hashes and not self.hashes:
            raise InputError(f"export {what}: has no hashes; leave --with-hashes out")
        return (
            *(self.addressed if addresses and self.addressed else self.columns),
            *(self.addresses if addresses else ()),
            *self.more,
            *(self.hashes if hashes else ()),
            *((columns.MARKING,) if addresses or hashes else ()),
        )


SHEETS: Mapping[str, Sheet] = {
    "flags": Sheet(
        columns.FLAGS,
        addresses=columns.FLAG_ADDRESSES,
        hashes=(columns.HASH,),
        more=(columns.ENTRY_HMAC,),
    ),
    "cases": Sheet(columns.CASES),
    "reports": Sheet(columns.REPORTS),
    "messages": Sheet(columns.MESSAGES, addressed=columns.MESSAGES_WITH_ADDRESSES),
    "channels": Sheet(columns.CHANNELS),
    "log": Sheet(columns.LOG, addresses=columns.LOG_BODIES),
    "observations": Sheet(columns.OBSERVATIONS, addresses=columns.OBSERVATION_ADDRESSES),
}
"""By the name that the command line knows; the rows are those of `monitor.store.queries.SOURCES` under it."""
