"""upload.getFile: bytes of photos and documents (https://core.telegram.org/api/files#downloading-files)."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.media import Photo

MEBIBYTE = 1 << 20


def check_window(offset: int, limit: int, *, precise: bool) -> None:
    """Raises `RpcError` OFFSET_INVALID or LIMIT_INVALID for a window that may not be read.

    In steps of 4 KiB, with a limit that divides 1 MiB; precise: in steps of 1 KiB, up to 1 MiB. Never across
    a boundary of 1 MiB.
    """
    step = 1024 if precise else 4096
    if offset < 0 or offset % step:
        raise RpcError(400, "OFFSET_INVALID")
    if limit <= 0 or limit % step or limit > MEBIBYTE or (not precise and MEBIBYTE % limit):
        raise RpcError(400, "LIMIT_INVALID")
    if offset // MEBIBYTE != (offset + limit - 1) // MEBIBYTE:
        raise RpcError(400, "LIMIT_INVALID")


def _get_file(call: Call) -> Any:
    request = call.request
    location = request.location
    check_window(request.offset, request.limit, precise=bool(request.precise))
    if not isinstance(location, types.InputPhotoFileLocation | types.InputDocumentFileLocation):
        raise RpcError(400, "LOCATION_INVALID")
    file = call.world.files.get(location.id)
    photo = isinstance(location, types.InputPhotoFileLocation)
    if file is None or file.access_hash != location.access_hash or isinstance(file, Photo) != photo:
        raise RpcError(400, "LOCATION_INVALID")
    call.world.references.check(file.id, location.file_reference)
    if file.dc != call.dc:
        raise RpcError(303, f"FILE_MIGRATE_{file.dc}")
    data = file.read(location.thumb_size)
    if data is None:
        raise RpcError(400, "LOCATION_INVALID")
    kind = types.storage.FileJpeg() if photo or location.thumb_size else types.storage.FileUnknown()
    return types.upload.File(kind, file.date, data[request.offset : request.offset + request.limit])


_HANDLERS = {functions.upload.GetFileRequest: _get_file}
SERVICE = Service(_HANDLERS, anywhere=frozenset(_HANDLERS), bots=frozenset(_HANDLERS))
