"""What kind of beat a mark stands for: the classes of ANSI/AAMI EC57."""

from collections import Counter
from collections.abc import Mapping

from training.data.record import Annotations

CLASS_OF: Mapping[str, str] = {
    **dict.fromkeys("NLRej", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VE", "V"),
    "F": "F",
    **dict.fromkeys("/fQ", "Q"),
}
CLASSES = ("N", "S", "V", "F", "Q")


def beats_of(marks: Annotations) -> Annotations:
    """The marks that are beats; rhythm, quality and waveform marks fall away."""
    return marks.only("".join(CLASS_OF))


def count_classes(marks: Annotations) -> dict[str, int]:
    counts = Counter(CLASS_OF[symbol] for symbol in marks.symbols if symbol in CLASS_OF)
    return {name: counts[name] for name in CLASSES}
