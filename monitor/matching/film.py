"""A film → frames at even intervals, each with its PDQ.

In the containers of film_file.py, and in whatever of the usual codecs; moving pictures (GIF, WebP, APNG, AVIF) in the
same intervals. Everything is decoded in the thread that asks, with limits on all that a sender may choose.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from monitor.errors import MediaUndecodable
from monitor.matching.film_file import PIECE, FilmFile, ReadAt, film_format, moves
from monitor.matching.frames import timed
from monitor.matching.image import pdq_of_image
from monitor.matching.luma import display_matrix, pdq_of_frame
from monitor.matching.picture import BROKEN, MAX_PIXELS, upright_rgb
from monitor.model import Frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

HEAD_BYTES = 4096
CODECS = (
    *("h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "libdav1d", "mpeg4", "mpeg1video", "mpeg2video"),
    *("h263", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "flv", "mjpeg", "theora", "prores"),
)
"""FFmpeg's decoders that are used; the others are some hundred, most of them for what nobody sends."""

_LARGEST = 1 << 31
"""Seconds beyond which a timestamp is none."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What of a film is looked at: frames a second; with `keyframes_only` of those that stand for themselves, which
    is fast and misses much. And its limits: seconds of the film, frames that are hashed, pixels of a frame, seconds of
    processor time. Beyond them nothing is looked at, and the film is `partial`.
    """

    frames_per_second: float = 1.0
    keyframes_only: bool = False
    max_seconds: float = 7200.0
    max_frames: int = 7200
    max_pixels: int = 8_912_896  # 4096 × 2176
    cpu_seconds: float = 300.0


USUAL = Sampling()


@dataclass(frozen=True, slots=True)
class Film:
    """What was seen of a film, none in a file of sound alone. Width and height in pixels as it is shown; `partial`
    when some of it was broken or beyond the limits.
    """

    frames: tuple[Frame, ...] = ()
    width: int | None = None
    height: int | None = None
    partial: bool = False


def hash_film(
    size: int, read_at: ReadAt, sampling: Sampling = USUAL, alive: Callable[[], None] = lambda: None
) -> Film:
    """The frames of a film of `size` bytes that `read_at` gives piece by piece; `alive` is called now and then.

    The first frame of each interval is taken, from the film's first one on. Raises MediaUndecodable when not one
    frame can be read.
    """
    head = read_at(0, min(size, HEAD_BYTES))
    watch = _Watch(sampling, alive)
    if container := film_format(head):
        found = _film(FilmFile(size, read_at), container, watch)
    elif moves(head):
        found = _moving(read_at(0, size), watch)
    else:
        raise MediaUndecodable("the bytes are not a film that can be decoded")
    frames: list[Frame] = []
    size_shown: tuple[int | None, int | None] = None, None
    try:
        for frame, *shown in found:
            frames.append(frame)
            size_shown = shown[0], shown[1]
            if len(frames) >= sampling.max_frames:
                watch.partial = True
                break
    except MediaUndecodable:
        if not frames:
            raise
        watch.partial = True
    if watch.partial and not frames:
        raise MediaUndecodable("no frame of the film can be decoded within the limits")
    return Film(tuple(frames), *size_shown, watch.partial)


def film_of(data: "bytes | bytearray | memoryview", sampling: Sampling = USUAL) -> Film:
    """`hash_film` of a film in memory, which is not copied."""
    view = memoryview(data)
    return hash_film(len(view), lambda offset, size: bytes(view[offset : offset + size]), sampling)


Seen = Iterator[tuple[Frame, int, int]]
"""Frames with the width and height that they are shown in."""


class _Watch:
    """Which moments of a film are due, and what has been used up."""

    def __init__(self, sampling: Sampling, alive: Callable[[], None]) -> None:
        self.sampling = sampling
        self.partial = False
        self._alive = alive
        self._end = time.thread_time() + sampling.cpu_seconds
        self._next = 0
        self._started: float | None = None

    @property
    def most_decoded(self) -> str:
        """Pixels of a frame as it is coded, which has edges that are not shown."""
        return str(self.sampling.max_pixels * 5 // 4 + (1 << 16))

    def due(self, second: float) -> float | None:
        """The place in the film of a frame with this timestamp when it is to be looked at, else None."""
        if self._started is None:
            self._started = second
        place = second - self._started
        if place * self.sampling.frames_per_second < self._next - 1e-6:
            return None
        self._next = int(place * self.sampling.frames_per_second + 1e-6) + 1
        return max(place, 0.0)

    def may_be_due(self, second: float, lasts: float) -> bool:
        """Whether a frame that begins here and lasts so long may be the first of its interval."""
        if self._started is None or lasts <= 0:
            return True
        rate = self.sampling.frames_per_second
        beyond = (second - self._started) * rate + 1e-6
        return beyond % 1.0 <= lasts * rate

    def ends(self, second: float) -> bool:
        """Whether the film is looked at no further than this timestamp."""
        late = self._started is not None and second - self._started > self.sampling.max_seconds
        self.partial |= late
        return late or self.tired()

    def tired(self) -> bool:
        """Whether the processor time is used up."""
        self._alive()
        ended = time.thread_time() > self._end
        self.partial |= ended
        return ended


def _film(file: FilmFile, format: str, watch: _Watch) -> Seen:
    import av
    from av.video.stream import VideoStream

    try:
        with av.open(
            file,
            mode="r",
            format=format,
            buffer_size=PIECE,
            # What a sender wrote about the film is not looked at.
            metadata_errors="ignore",
            options={"max_pixels": watch.most_decoded},
            container_options={"codec_whitelist": ",".join(CODECS), "protocol_whitelist": ""},
        ) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or _is_cover(stream):
                return
            yield from _frames(container, stream, watch)
    except (*BROKEN, av.FFmpegError) as e:
        # Its own words may hold words from the file.
        raise MediaUndecodable("the bytes are not a film that can be decoded") from e


def _is_cover(stream: "VideoStream") -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _frames(container: "InputContainer", stream: "VideoStream", watch: _Watch) -> Seen:
    matrix = None
    for frame in _decoded(container, stream, watch):
        second = frame.time
        if second is None or not abs(second) < _LARGEST:
            watch.partial = True
            continue
        if (place := watch.due(second)) is not None:
            if frame.width * frame.height > watch.sampling.max_pixels:
                watch.partial = True
                continue
            if matrix is None:
                matrix = display_matrix(frame)
            found, width, height = pdq_of_frame(frame, matrix)
            yield Frame(place, found.value, found.quality), width, height
        if watch.ends(second):
            return


def _decoded(container: "InputContainer", stream: "VideoStream", watch: _Watch) -> "Iterator[VideoFrame]":
    """Frames in the order in which they are shown; those between two that are due may be left out.

    A frame that no other one is decoded from can be left out where it is not due itself: nothing else changes.
    """
    from av import FFmpegError
    from av.stream import Discard

    context = stream.codec_context
    if context.name not in CODECS:
        raise MediaUndecodable("the film is coded in a way that is not read here")
    context.thread_count = 1
    context.options = {"max_pixels": watch.most_decoded}
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    usual = Fraction(1) / stream.average_rate if stream.average_rate else Fraction(0)
    context.open(strict=False)
    packets = container.demux(stream)
    while not watch.tired():
        try:
            packet = next(packets, None)
        except (*BROKEN, FFmpegError):
            watch.partial, packet = True, None
        if packet is None:
            with contextlib.suppress(EOFError):
                yield from context.decode(None)
            return
        if watch.sampling.keyframes_only:
            context.skip_frame = "NONKEY"
        elif packet.pts is not None and packet.time_base:
            lasts = max(usual, (packet.duration or 0) * packet.time_base)
            due = watch.may_be_due(float(packet.pts * packet.time_base), float(lasts) * 1.5)
            context.skip_frame = "DEFAULT" if due else "NONREF"
        try:
            yield from context.decode(packet)
        except EOFError:
            return
        except (*BROKEN, FFmpegError):
            # Players go on behind what is broken, and so what follows can be seen.
            watch.partial = True


def _moving(data: bytes, watch: _Watch) -> Seen:
    for second, image in timed(data, max_pixels=min(MAX_PIXELS, watch.sampling.max_pixels)):
        if (place := watch.due(second)) is not None:
            upright = upright_rgb(image)
            found = pdq_of_image(upright)
            yield Frame(place, found.value, found.quality), upright.width, upright.height
        if watch.ends(second):
            return


def warm_up() -> None:
    """Load all that `hash_film` will ever need, by hashing a small film of each container and kind.

    Afterwards it opens no file: for a process that is about to lose the file system.
    """
    import av
    import numpy as np

    grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
    for container, codec, pixels in (
        ("mov", "mpeg4", "yuv420p"),
        ("matroska", "mjpeg", "yuvj420p"),
        ("avi", "mjpeg", "yuvj444p"),
    ):
        written = io.BytesIO()
        with av.open(written, "w", format=container) as film:
            stream: Any = film.add_stream(codec, rate=5)
            stream.width, stream.height, stream.pix_fmt = grey.width, grey.height, pixels
            stream.codec_context.thread_count = 1
            for _ in range(6):
                film.mux(stream.encode(grey.reformat(format=pixels, threads=1)))
            film.mux(stream.encode())
        film_of(written.getvalue())
        for cut in (100, len(written.getvalue()) // 2):
            with contextlib.suppress(MediaUndecodable):
                film_of(written.getvalue()[:cut])
    pdq_of_frame(grey)
