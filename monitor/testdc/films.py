"""Made films: one made picture after the other, each for a second in which the view moves along it."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np

from monitor.testdc.pictures import pixels

MARGIN = 0.06
"""Share of a picture's sides along which the view moves in a second."""


def film(
    seed: int,
    seconds: int = 8,
    width: int = 640,
    height: int = 480,
    *,
    rate: int = 10,
    codec: str = "mpeg4",
    container: str = "mp4",
    pixel_format: str = "yuv420p",
    bit_rate: int = 1_000_000,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """The film of a seed as a file of so many `seconds`. A seed is the same film at any size, rate and coding.

    `codec` and `container` are FFmpeg's names; `rotation` in degrees counter-clockwise is told to players, as
    telephones do.
    """
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, pixel_format, bit_rate
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        across, down = round(width * MARGIN), round(height * MARGIN)
        for second in range(seconds):
            shown = pixels(seed * 1000 + second, width + across, height + down)
            for number in range(rate):
                left, top = across * number // rate, down * number // rate
                part = np.ascontiguousarray(shown[top : top + height, left : left + width])
                frame = av.VideoFrame.from_ndarray(part, format="rgb24")
                file.mux(stream.encode(frame.reformat(format=pixel_format, threads=1)))
        file.mux(stream.encode())
    return out.getvalue()
