"""The C core as a shared library: one place for every signature."""

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError

LIBRARY = Path(__file__).with_name("libwristlead.so")

ROWS = 32
IMAGE_COLUMNS = 128
BEAT_SAMPLES = 512
COLUMN_LAG = 39
BEAT_WINDOW = 128
BEAT_SEARCH = 4
RR_RATIOS = 10


class Input(ctypes.Structure):
    """struct wl_input: what the converter delivers."""

    _fields_ = [
        ("rate_hz", ctypes.c_int32),
        ("gain_mul", ctypes.c_int32),
        ("gain_shift", ctypes.c_int32),
        ("rail_low", ctypes.c_int32),
        ("rail_high", ctypes.c_int32),
    ]


class Image(ctypes.Structure):
    """struct wl_image: the ring of columns."""

    _fields_ = [("code", ctypes.c_int8 * (IMAGE_COLUMNS * ROWS)), ("flags", ctypes.c_uint8 * IMAGE_COLUMNS)]


class BeatRing(ctypes.Structure):
    """struct wl_beat_ring: the ring of 128 Hz samples."""

    _fields_ = [("x_uv", ctypes.c_int16 * BEAT_SAMPLES)]


class FrontEndHead(ctypes.Structure):
    """The first fields of struct wl_frontend, the ones a caller reads."""

    _fields_ = [
        ("n_columns", ctypes.c_uint32),
        ("n_beats", ctypes.c_uint32),
        ("n_samples", ctypes.c_uint32),
    ]


class QrsHead(ctypes.Structure):
    """The first fields of struct wl_qrs, the ones a caller reads."""

    _fields_ = [("n_seen", ctypes.c_uint32), ("peak_index", ctypes.c_uint32)]


class Beat(ctypes.Structure):
    """struct wl_beat: one beat, ready for the networks."""

    _fields_ = [
        ("peak_index", ctypes.c_uint32),
        ("shape", ctypes.c_int8 * (BEAT_WINDOW * 2)),
        ("rr", ctypes.c_int8 * RR_RATIOS),
    ]


@cache
def core() -> ctypes.CDLL:
    """The loaded library, its signatures declared and its sizes compared with ours."""
    if not LIBRARY.is_file():
        raise ContractError(f"{LIBRARY.name}: the C core is not built beside device_sim; run `make core`")
    library = ctypes.CDLL(str(LIBRARY))
    library.wl_sizeof_frontend.restype = ctypes.c_size_t
    library.wl_sizeof_image.restype = ctypes.c_size_t
    library.wl_sizeof_beat_ring.restype = ctypes.c_size_t
    library.wl_sizeof_beat.restype = ctypes.c_size_t
    for name, ours, theirs in (
        ("image", ctypes.sizeof(Image), library.wl_sizeof_image()),
        ("beat_ring", ctypes.sizeof(BeatRing), library.wl_sizeof_beat_ring()),
        ("beat", ctypes.sizeof(Beat), library.wl_sizeof_beat()),
    ):
        if ours != theirs:
            raise ContractError(
                f"{LIBRARY.name}: struct wl_{name} has {theirs} bytes, expected {ours}; run `make core`"
            )
    library.wl_frontend_init.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(Input),
        ctypes.POINTER(Image),
        ctypes.POINTER(BeatRing),
    ]
    library.wl_frontend_init.restype = ctypes.c_int
    library.wl_frontend_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint8]
    library.wl_frontend_push.restype = ctypes.c_int32
    library.wl_frontend_delay_us.argtypes = [ctypes.c_int32]
    library.wl_frontend_delay_us.restype = ctypes.c_int32
    library.wl_sizeof_qrs.restype = ctypes.c_size_t
    library.wl_sizeof_beat_maker.restype = ctypes.c_size_t
    library.wl_beat_maker_init.argtypes = [ctypes.c_void_p]
    library.wl_beat_maker_init.restype = None
    library.wl_beat_make.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(BeatRing),
        ctypes.c_uint32,
        ctypes.c_uint32,
        ctypes.POINTER(Beat),
    ]
    library.wl_beat_make.restype = None
    library.wl_qrs_init.argtypes = [ctypes.c_void_p]
    library.wl_qrs_init.restype = None
    library.wl_qrs_next.argtypes = [ctypes.c_void_p, ctypes.POINTER(BeatRing), ctypes.c_uint32]
    library.wl_qrs_next.restype = ctypes.c_int
    return library


def as_counts(counts: object) -> NDArray[np.int32]:
    """A contiguous int32 array, or one line about what was given instead."""
    array = np.asarray(counts)
    if array.ndim != 1:
        raise ContractError(f"counts: expected one dimension, got shape {array.shape}")
    if array.size == 0:
        return np.empty(0, np.int32)
    if array.dtype.kind not in "iu":
        raise ContractError(
            f"counts: expected integers, got {array.dtype}; scale and round to counts or microvolts first"
        )
    if array.min() < -(2**31) or array.max() >= 2**31:
        raise ContractError(f"counts: expected 32-bit values, got {array.min()}..{array.max()}")
    return np.ascontiguousarray(array, dtype=np.int32)
