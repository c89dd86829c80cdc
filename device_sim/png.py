"""A PNG of indices into a palette, written by hand: what a page carries needs no drawing library."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
INDEXED = 3


def png_of(indices_yx_u8: NDArray[np.uint8], palette_rgb_u8: NDArray[np.uint8]) -> bytes:
    """The file; palette [at most 256, 3]."""
    height, width = indices_yx_u8.shape
    assert int(indices_yx_u8.max(initial=0)) < len(palette_rgb_u8) <= 256
    header = struct.pack(">IIBBBBB", width, height, 8, INDEXED, 0, 0, 0)
    unfiltered = np.zeros((height, 1), np.uint8)  # of every row
    rows = np.concatenate([unfiltered, indices_yx_u8], axis=1).tobytes()
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette_rgb_u8.astype(np.uint8).tobytes()),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
