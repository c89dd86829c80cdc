"""The PNG is what the standard says, read back by its own rules."""

import struct
import zlib

import numpy as np

from device_sim.png import png_of


def test_every_pixel_and_colour_comes_back() -> None:
    indices = np.arange(35, dtype=np.uint8).reshape(5, 7)
    palette = np.stack([np.arange(35), np.arange(35) + 100, np.arange(35) * 7], axis=1).astype(np.uint8)
    raw = png_of(indices, palette)
    assert raw[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    chunks, at = {}, 8
    while at < len(raw):
        n_bytes, kind = struct.unpack(">I4s", raw[at : at + 8])
        payload = raw[at + 8 : at + 8 + n_bytes]
        assert struct.unpack(">I", raw[at + 8 + n_bytes : at + 12 + n_bytes])[0] == zlib.crc32(kind + payload)
        chunks[kind] = payload
        at += 12 + n_bytes
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (7, 5, 8, 3, 0, 0, 0)
    assert chunks[b"PLTE"] == palette.tobytes()
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 8)
    assert not rows[:, 0].any()
    np.testing.assert_array_equal(rows[:, 1:], indices)
