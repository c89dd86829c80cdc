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
BEAT_SAMPLES = 1024
COLUMN_LAG = 39
BEAT_WINDOW = 128
BEAT_SEARCH = 4
RR_RATIOS = 10
FLAGS = 6
NETWORKS = 2
LOGITS = 16  # of one network
NO_LIMIT = 32767
UNDECIDED, UNUSABLE = 254, 255  # labels that are no label of the network
PEAKS, SAID = 40, 32
WIRE_PAYLOAD = 240
WIRE_RAW = WIRE_PAYLOAD + 8
WIRE_BYTES = WIRE_RAW + 2


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


class StreamHead(ctypes.Structure):
    """The first fields of struct wl_stream, the ones a caller reads."""

    _fields_ = [
        ("app", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("image", Image),
        ("beats", BeatRing),
        ("frontend", FrontEndHead),
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


class Frame(ctypes.Structure):
    """struct wl_frame: one frame of the wire, whole and checked."""

    _fields_ = [
        *((name, ctypes.c_uint8) for name in ("version", "type", "session", "sequence")),
        ("n_payload", ctypes.c_uint16),
        ("payload", ctypes.c_uint8 * WIRE_PAYLOAD),
    ]


class Wire(ctypes.Structure):
    """struct wl_wire: state of a receiver."""

    _fields_ = [
        ("n_frames", ctypes.c_uint32),
        ("n_damaged", ctypes.c_uint32),
        ("fill", ctypes.c_uint16),
        ("begun", ctypes.c_uint8),
        ("left", ctypes.c_uint8),
        ("raw", ctypes.c_uint8 * WIRE_RAW),
    ]


class Op(ctypes.Structure):
    """struct wl_op: one row of the operator table."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "bias", "by_q31", "by_shift")),
        *((name, ctypes.c_int32) for name in ("x", "y", "out")),
        *((name, ctypes.c_int32) for name in ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c")),
        *((name, ctypes.c_int16) for name in ("kernel_h", "kernel_w", "stride_h", "stride_w")),
        *((name, ctypes.c_int16) for name in ("pad_top", "pad_left", "x_zero", "y_zero", "out_zero")),
        *((name, ctypes.c_int16) for name in ("low", "high")),
        ("kind", ctypes.c_uint8),
    ]


class Graph(ctypes.Structure):
    """struct wl_graph: the table and the size of its arena."""

    _fields_ = [("ops", ctypes.POINTER(Op)), ("n_ops", ctypes.c_int32), ("arena_bytes", ctypes.c_int32)]


class Question(ctypes.Structure):
    """struct wl_question: one code of a network, and what it means."""

    _fields_ = [
        ("score_q15", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("accept_q8", "reject_q8", "hold_q8", "at")),
    ]


class Place(ctypes.Structure):
    """struct wl_place: where a tensor lies in the arena."""

    _fields_ = [("at", ctypes.c_int32), ("n_bytes", ctypes.c_int32)]


class Network(ctypes.Structure):
    """struct wl_network: a graph, what it is fed, and what its codes mean."""

    _fields_ = [
        ("graph", ctypes.POINTER(Graph)),
        ("questions", ctypes.POINTER(Question)),
        ("outputs", ctypes.POINTER(Place)),
        *((name, ctypes.c_int32) for name in ("n_questions", "n_outputs", "at", "at_rr", "hop")),
        *((name, ctypes.c_int32) for name in ("mean_windows", "mean_hops", "unusable_score_q15")),
        ("flag_limits", ctypes.c_int16 * FLAGS),
        ("input", ctypes.c_uint8),
        ("bundle", ctypes.c_uint8 * 8),
        ("colours", ctypes.c_void_p),
    ]


class Gate(ctypes.Structure):
    """struct wl_gate: what must be said of the signal before a beat is judged."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("accept_q8", "reject_q8", "hold_q8", "question", "n_windows")),
        ("protects", ctypes.c_uint8),
    ]


class App(ctypes.Structure):
    """struct wl_app: one or two networks on one stream."""

    _fields_ = [
        ("networks", ctypes.POINTER(Network)),
        ("gate", ctypes.POINTER(Gate)),
        ("n_networks", ctypes.c_int32),
        ("memory_bytes", ctypes.c_int32),
    ]


class Event(ctypes.Structure):
    """struct wl_event: what is said of one window or beat."""

    _fields_ = [
        ("t0_us", ctypes.c_int64),
        ("window", ctypes.c_uint32),
        ("margin_q8", ctypes.c_int32),
        ("score_q15", ctypes.c_int32),
        *((name, ctypes.c_uint8) for name in ("network", "label", "by", "n_logits")),
        ("flag_columns", ctypes.c_uint8 * FLAGS),
        ("logits", ctypes.c_int8 * LOGITS),
    ]


@cache
def core() -> ctypes.CDLL:
    """The loaded library, its signatures declared and its sizes compared with ours."""
    if not LIBRARY.is_file():
        raise ContractError(f"{LIBRARY.name}: the C core is not built beside device_sim; run `make core`")
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:  # a tree that was copied from another machine
        raise ContractError(f"{error}; expected a core built for this machine: run `make core`") from None
    library.wl_sizeof_frontend.restype = ctypes.c_size_t
    library.wl_sizeof_image.restype = ctypes.c_size_t
    library.wl_sizeof_beat_ring.restype = ctypes.c_size_t
    library.wl_sizeof_beat.restype = ctypes.c_size_t
    library.wl_sizeof_op.restype = ctypes.c_size_t
    library.wl_sizeof_frame.restype = ctypes.c_size_t
    for name in ("network", "question", "gate", "app", "event", "stream"):
        getattr(library, f"wl_sizeof_{name}").restype = ctypes.c_size_t
    library.wl_sizeof_wire.restype = ctypes.c_size_t
    for name, ours, theirs in (
        ("image", ctypes.sizeof(Image), library.wl_sizeof_image()),
        ("beat_ring", ctypes.sizeof(BeatRing), library.wl_sizeof_beat_ring()),
        ("beat", ctypes.sizeof(Beat), library.wl_sizeof_beat()),
        ("op", ctypes.sizeof(Op), library.wl_sizeof_op()),
        ("network", ctypes.sizeof(Network), library.wl_sizeof_network()),
        ("question", ctypes.sizeof(Question), library.wl_sizeof_question()),
        ("gate", ctypes.sizeof(Gate), library.wl_sizeof_gate()),
        ("app", ctypes.sizeof(App), library.wl_sizeof_app()),
        ("event", ctypes.sizeof(Event), library.wl_sizeof_event()),
        ("frame", ctypes.sizeof(Frame), library.wl_sizeof_frame()),
        ("wire", ctypes.sizeof(Wire), library.wl_sizeof_wire()),
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
    library.wl_paint.argtypes = [ctypes.c_void_p] * 3
    library.wl_paint.restype = None
    library.wl_qrs_init.argtypes = [ctypes.c_void_p]
    library.wl_qrs_init.restype = None
    library.wl_qrs_next.argtypes = [ctypes.c_void_p, ctypes.POINTER(BeatRing), ctypes.c_uint32]
    library.wl_qrs_next.restype = ctypes.c_int
    library.wl_graph_check.argtypes = [ctypes.POINTER(Graph), ctypes.POINTER(ctypes.c_int32)]
    library.wl_graph_check.restype = ctypes.c_int
    library.wl_graph_run.argtypes = [ctypes.POINTER(Graph), ctypes.c_void_p]
    library.wl_graph_run.restype = None
    library.wl_graph_step.argtypes = [ctypes.POINTER(Graph), ctypes.c_int32, ctypes.c_void_p]
    library.wl_graph_step.restype = None
    _declare_stream(library)
    _declare_wire(library)
    return library


def _declare_stream(library: ctypes.CDLL) -> None:
    library.wl_beat_break.argtypes = [ctypes.c_void_p]
    library.wl_beat_break.restype = None
    library.wl_app_memory_bytes.argtypes = [ctypes.POINTER(App)]
    library.wl_app_memory_bytes.restype = ctypes.c_int32
    library.wl_stream_init.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(App),
        ctypes.POINTER(Input),
        ctypes.c_void_p,
    ]
    library.wl_stream_init.restype = ctypes.c_int
    library.wl_stream_push.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint8),
        *(ctypes.POINTER(Event), ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)),
    ]
    library.wl_stream_push.restype = ctypes.c_size_t
    library.wl_stream_finish.argtypes = [ctypes.c_void_p, ctypes.POINTER(Event), ctypes.c_size_t]
    library.wl_stream_finish.restype = ctypes.c_size_t


def _declare_wire(library: ctypes.CDLL) -> None:
    library.wl_crc32.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    library.wl_crc32.restype = ctypes.c_uint32
    library.wl_wire_init.argtypes = [ctypes.POINTER(Wire)]
    library.wl_wire_init.restype = None
    library.wl_wire_encode.argtypes = [ctypes.POINTER(Frame), ctypes.c_char_p]
    library.wl_wire_encode.restype = ctypes.c_size_t
    library.wl_wire_decode.argtypes = [
        ctypes.POINTER(Wire),
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.POINTER(Frame),
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_size_t),
    ]
    library.wl_wire_decode.restype = ctypes.c_size_t
    library.wl_frame_put_samples.argtypes = [
        ctypes.POINTER(Frame),
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_uint8,
    ]
    library.wl_frame_put_samples.restype = ctypes.c_int32
    library.wl_frames_samples.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t),
    ]
    library.wl_frames_samples.restype = ctypes.c_size_t


def as_counts(counts: object) -> NDArray[np.int32]:
    """A contiguous int32 array, or one line about what was given instead."""
    array = np.asarray(counts)
    if array.ndim != 1:
        raise ContractError(f"counts: expected one dimension, got shape {array.shape}")
    if array.size == 0:
        return np.empty(0, np.int32)
    if array.dtype == np.int32:  # nothing to look at: a stream pushes the same array in pieces
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iu":
        raise ContractError(
            f"counts: expected integers, got {array.dtype}; scale and round to counts or microvolts first"
        )
    if array.min() < -(2**31) or array.max() >= 2**31:
        raise ContractError(f"counts: expected 32-bit values, got {array.min()}..{array.max()}")
    return np.ascontiguousarray(array, dtype=np.int32)
