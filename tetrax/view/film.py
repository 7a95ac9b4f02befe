"""Pictures of a game as a film: encoded as H.264 in an .mp4 file, by PyAV, the extra `video`."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from tetrax.fields.errors import install

# Encoders of H.264, the better one first: PyAV's wheels have the first, a distribution's own may lack it. One thread,
# as more of them divide the pictures by how many there are, and the file would be another one on each machine.
ENCODERS = {
    "libx264": {"crf": "18", "threads": "1"},  # 18: no difference can be seen
    "libopenh264": {"threads": "1"},
}
BIT_RATE = 2_000_000  # a second, for an encoder that knows no quality
BT709, LIMITED = 1, 1  # the matrix and the range of the colours, as the format numbers them


def encode(shown: Iterator[np.ndarray], *, frames_per_second: float, last_frame_time: int) -> bytes:
    """Return pictures, uint8[height, width, 3], as an .mp4 file.

    The last one stands for `last_frame_time` milliseconds. ModuleNotFoundError and ValueError as `find_encoder`.
    """
    import av

    encoder = find_encoder()
    rate = Fraction(frames_per_second).limit_denominator(1000)
    repeats = max(1, round(last_frame_time * rate / 1000))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=rate, options=ENCODERS[encoder])
        images = _stand_still(map(_make_even, shown), repeats)
        first = next(images)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 0 if "crf" in ENCODERS[encoder] else BIT_RATE
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        for image in itertools.chain([first], images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709)))
        container.mux(stream.encode(None))
    return file.getvalue()


def find_encoder() -> str:
    """Return the name of the encoder; ModuleNotFoundError without PyAV, ValueError where that has none."""
    try:
        import av
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"av is not installed; it comes with: {install('video')}") from None
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise ValueError(
        f"av {av.__version__} has no encoder of H.264; allowed: one with {' or '.join(ENCODERS)}"
    )


def _make_even(image: np.ndarray) -> np.ndarray:
    """Give a picture an even number of rows and columns, of which the format has half as many colours."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _stand_still(images: Iterator[np.ndarray], repeats: int) -> Iterator[np.ndarray]:
    """Give the last image so many times."""
    last = next(images)
    for image in images:
        yield last
        last = image
    for _ in range(repeats):
        yield last
