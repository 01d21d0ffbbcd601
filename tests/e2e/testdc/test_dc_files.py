"""Downloading from the test data centre."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from PIL import Image
from telethon import errors
from telethon.tl import functions, types
from telethon.utils import stripped_photo_to_jpg

from monitor.testdc import Channel, Cluster, Photo, World
from monitor.testdc.pictures import picture


@pytest.fixture
def news(world: World) -> Channel:
    return world.channel("example_news")


async def only_message(client: Any) -> Any:
    return (await client.get_messages("example_news", 1))[0]


def photo_location(photo: Any, size: str) -> Any:
    return types.InputPhotoFileLocation(photo.id, photo.access_hash, photo.file_reference, size)


@pytest.mark.parametrize("dc", [1, 2])
async def test_a_photo_from_either_data_centre(
    client: Any, cluster: Cluster, world: World, news: Channel, dc: int
) -> None:
    photo = world.photo(picture(1, 1000, 700), dc=dc)
    news.post(media=photo)
    message = await only_message(client)
    assert await client.download_media(message, bytes) == photo.renditions[-1].data
    assert cluster.requests("upload.getFile")[-1].dc == dc
    assert bool(cluster.requests("auth.importAuthorization")) == (dc == 2)


async def test_a_photo_has_telegrams_sizes(client: Any, world: World, news: Channel) -> None:
    photo = world.photo(picture(1, 3000, 1500))
    news.post(media=photo)
    message = await only_message(client)
    shown = {s.type: (s.w, s.h, s.size) for s in message.photo.sizes if isinstance(s, types.PhotoSize)}
    assert {letter: shape[:2] for letter, shape in shown.items()} == {
        "s": (100, 50),
        "m": (320, 160),
        "x": (800, 400),
        "y": (1280, 640),
        "w": (2560, 1280),
    }
    for letter, (width, height, size) in shown.items():
        data = await client.download_media(message, bytes, thumb=letter)
        assert len(data) == size
        with Image.open(io.BytesIO(data)) as opened:
            assert (opened.format, opened.size) == ("JPEG", (width, height))
    preview = next(s for s in message.photo.sizes if isinstance(s, types.PhotoStrippedSize))
    with Image.open(io.BytesIO(stripped_photo_to_jpg(preview.bytes))) as opened:
        opened.load()
        assert opened.size == (40, 20)


async def test_a_small_photo_is_not_enlarged(client: Any, world: World, news: Channel) -> None:
    news.post(media=world.photo(picture(1, 500, 400)))
    message = await only_message(client)
    assert [(s.type, s.w) for s in message.photo.sizes if isinstance(s, types.PhotoSize)] == [
        ("s", 100),
        ("m", 320),
        ("x", 500),
    ]


async def test_a_progressive_photo_may_be_cut_short(client: Any, world: World, news: Channel) -> None:
    news.post(media=world.photo(picture(1, 1200, 900), progressive=True))
    message = await only_message(client)
    largest = message.photo.sizes[-1]
    assert isinstance(largest, types.PhotoSizeProgressive)
    whole = await client.download_media(message, bytes)
    assert largest.sizes == sorted(largest.sizes) and largest.sizes[-1] == len(whole)
    assert len(largest.sizes) == 5
    reference = Image.open(io.BytesIO(whole)).convert("L").resize((32, 32))
    for cut in largest.sizes[:-1]:
        # Completed by an end marker, a prefix is a JPEG of the whole picture, only coarser.
        opened = Image.open(io.BytesIO(whole[:cut] + b"\xff\xd9")).convert("L").resize((32, 32))
        pairs = zip(reference.tobytes(), opened.tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / 1024 < 12


async def test_documents_come_back_byte_for_byte(client: Any, world: World, news: Channel) -> None:
    data = random.Random(1).randbytes(1_500_001)
    document = world.document(data, mime="application/zip", name="a.zip", dc=2)
    news.post(media=document)
    message = await only_message(client)
    assert (message.document.size, message.document.mime_type, message.file.name) == (
        len(data),
        "application/zip",
        "a.zip",
    )
    assert await client.download_media(message, bytes) == data
    chunks = [bytes(c) async for c in client.iter_download(message.media, request_size=131_072, limit=3)]
    assert b"".join(chunks) == data[: 3 * 131_072]


async def test_document_kinds_carry_their_attributes(client: Any, world: World, news: Channel) -> None:
    thumb = picture(3, 640, 480)
    shape = {"width": 640, "height": 480, "duration": 2.5}
    news.post(media=world.document(b"v", mime="video/mp4", kind="video", thumb=thumb, **shape), spoiler=True)
    news.post(media=world.document(b"g", mime="video/mp4", kind="gif", **shape))
    news.post(media=world.document(b"r", mime="video/mp4", kind="round", **shape))
    news.post(media=world.document(b"o", mime="audio/ogg", kind="voice", duration=4))
    news.post(media=world.document(b"s", mime="image/webp", kind="sticker", width=512, height=512))
    news.post(media=world.document(picture(4, 640, 480), mime="image/jpeg", name="x.jpg"), ttl=30)
    video, gif, round_, voice, sticker, image = (await client.get_messages("example_news", 6))[::-1]
    assert video.video and (video.file.width, video.file.height, video.file.duration) == (640, 480, 2.5)
    assert video.media.spoiler and video.media.video
    assert (await client.download_media(video, bytes, thumb="m"))[:2] == b"\xff\xd8"
    assert gif.gif and round_.video_note and voice.voice and sticker.sticker
    assert (image.document.thumbs[0].w, image.media.ttl_seconds) == (320, 30)
    assert await client.download_media(voice, bytes) == b"o"


async def test_posting_again_keeps_the_media_id(client: Any, world: World, news: Channel) -> None:
    photo = world.photo(picture(1, 300, 200))
    news.post("one", media=photo)
    news.post("two", media=photo)
    two, one = await client.get_messages("example_news", 2)
    assert one.photo.id == two.photo.id == photo.id


async def test_a_file_elsewhere_migrates_who_asks(
    client: Any, cluster: Cluster, world: World, news: Channel
) -> None:
    photo = world.photo(picture(1, 300, 200), dc=2)
    news.post(media=photo)
    location = photo_location((await only_message(client)).photo, "m")
    with pytest.raises(errors.FileMigrateError) as raised:
        await client(functions.upload.GetFileRequest(location, 0, 4096))
    assert raised.value.new_dc == 2
    # The library follows by itself, with an authorization exported for the other data centre.
    data = await client.download_file(location, bytes)
    assert data == photo.read("m")
    assert [e.parameters["dc_id"] for e in cluster.requests("auth.exportAuthorization")] == [2]


async def test_a_data_centre_that_is_not_home_serves_files_only(
    client: Any, cluster: Cluster, world: World
) -> None:
    sender = await client._borrow_exported_sender(2)
    with pytest.raises(errors.UserMigrateError):
        await sender.send(functions.updates.GetStateRequest())
    await client._return_exported_sender(sender)


@pytest.mark.parametrize(
    ("offset", "limit", "precise", "error"),
    [
        (0, 4096, False, None),
        (4096, 8192, False, None),
        (1024, 4096, False, errors.OffsetInvalidError),
        (0, 1024, False, errors.LimitInvalidError),
        (0, 12_288, False, errors.LimitInvalidError),
        (0, 2 * 1024 * 1024, False, errors.LimitInvalidError),
        (0, 0, False, errors.LimitInvalidError),
        (1024 * 1024 - 4096, 8192, False, errors.LimitInvalidError),
        (1024, 3072, True, None),
        (512, 1024, True, errors.OffsetInvalidError),
        (0, 1000, True, errors.LimitInvalidError),
    ],
)
async def test_windows_into_a_file(
    client: Any, world: World, news: Channel, offset: int, limit: int, precise: bool, error: Any
) -> None:
    data = random.Random(2).randbytes(20_000)
    news.post(media=world.document(data))
    document = (await only_message(client)).document
    location = types.InputDocumentFileLocation(document.id, document.access_hash, document.file_reference, "")
    request = functions.upload.GetFileRequest(location, offset, limit, precise=precise)
    if error is None:
        assert (await client(request)).bytes == data[offset : offset + limit]
    else:
        with pytest.raises(error):
            await client(request)


async def test_what_is_not_there_has_no_location(client: Any, world: World, news: Channel) -> None:
    news.post(media=world.photo(picture(1, 300, 200)))
    photo = (await only_message(client)).photo
    for location in (
        photo_location(photo, "w"),
        types.InputPhotoFileLocation(photo.id, photo.access_hash + 1, photo.file_reference, "m"),
        types.InputDocumentFileLocation(photo.id, photo.access_hash, photo.file_reference, ""),
    ):
        with pytest.raises(errors.LocationInvalidError):
            await client(functions.upload.GetFileRequest(location, 0, 4096))


async def test_an_expired_reference_is_refused_until_the_message_is_read_again(
    client: Any, world: World, news: Channel
) -> None:
    photo = world.photo(picture(1, 300, 200))
    news.post(media=photo)
    message = await only_message(client)
    world.references.expire_all()
    with pytest.raises(errors.FileReferenceExpiredError):
        await client.download_media(message, bytes)
    assert await client.download_media(await only_message(client), bytes) == photo.renditions[-1].data


async def test_a_documents_expired_reference_is_renewed_by_the_library(
    client: Any, world: World, news: Channel
) -> None:
    news.post(media=world.document(b"0123456789"))
    message = await only_message(client)
    world.references.expire_all()
    assert await client.download_media(message, bytes) == b"0123456789"


async def test_missing_and_forged_references_are_refused(client: Any, world: World, news: Channel) -> None:
    photo: Photo = world.photo(picture(1, 300, 200))
    news.post(media=photo)
    shown = (await only_message(client)).photo
    for reference, error in ((b"", "FileReferenceEmptyError"), (b"x" * 21, "FileReferenceInvalidError")):
        location = types.InputPhotoFileLocation(shown.id, shown.access_hash, reference, "m")
        with pytest.raises(getattr(errors, error, errors.RPCError)):
            await client(functions.upload.GetFileRequest(location, 0, 4096))
