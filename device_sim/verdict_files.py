"""Verdicts as files: annotations that WFDB reads, and a table."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from device_sim.annotation_file import END, Mark, beginning, encoded
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.pipeline import verdict_of
from device_sim.trace import GrowingFile, check_writable, growing_file
from device_sim.verdict import Verdict

COLUMNS = ("net", "t0_us", "sample", "window", "label", "score", "margin_q8", "by", "flags", "bundle")
HALF_BEAT_US = 500_000
BEAT_SYMBOLS = {"normal": "N", "ventricular": "V", "early": "S", "other shape": "F"}
UNCLASSIFIED, ARTEFACT = "Q", "|"
QUALITY = "~"
NOISY, UNREADABLE = 0x01, 0x11  # of the first signal: noisy; noisy and lost
QUALITY_NAME, BEAT_NAME = ".qual", ".beat"


class Marker(Protocol):
    """Turns the verdicts of one bundle into marks."""

    def mark(self, verdict: Verdict) -> Mark | None: ...


class BeatMarker:
    """A beat at its R peak; in unusable signal an artefact, which no reader of WFDB counts as a beat."""

    def __init__(self, bundle: Bundle, rate_hz: int) -> None:
        self._unusable, self._rate_hz = verdict_of(bundle).unusable, rate_hz

    def mark(self, verdict: Verdict) -> Mark | None:
        word = verdict.label
        symbol = ARTEFACT if word == self._unusable else BEAT_SYMBOLS.get(word, UNCLASSIFIED)
        return Mark(
            sample=sample_of(verdict.t0_us + HALF_BEAT_US, self._rate_hz),
            symbol=symbol,
            aux="" if word in BEAT_SYMBOLS else word,
        )


class QualityMarker:
    """A mark where the word changes, in the middle of the window that is the first to say it."""

    def __init__(self, bundle: Bundle, rate_hz: int) -> None:
        window = bundle.window
        self._clean = bundle.labels.names[1]
        self._middle_us = (window.length_samples - window.hop_samples) * 500_000 // window.rate_hz
        self._rate_hz = rate_hz
        self._before: tuple[str, bool] | None = None

    def mark(self, verdict: Verdict) -> Mark | None:
        said = (verdict.label, verdict.by_rule)
        if said == self._before:
            return None
        self._before = said
        subtype = 0 if verdict.label == self._clean else UNREADABLE if verdict.by_rule else NOISY
        sample = sample_of(verdict.t0_us + self._middle_us, self._rate_hz)
        return Mark(sample=sample, symbol=QUALITY, subtype=subtype, aux=verdict.label)


class AnnotationFile:
    """One annotator's marks, in order."""

    def __init__(self, file: GrowingFile, marker: Marker, rate_hz: int) -> None:
        self._file, self._marker, self._at = file, marker, 0
        file.write(beginning(rate_hz))

    def take(self, verdict: Verdict) -> None:
        mark = self._marker.mark(verdict)
        if mark is not None:
            self._file.write(encoded(mark, before=self._at))
            self._at = mark.sample


class TableFile:
    """A line for every verdict."""

    def __init__(self, file: GrowingFile, rate_hz: int) -> None:
        self._file, self._rate_hz = file, rate_hz
        file.write(_line(COLUMNS))

    def take(self, verdict: Verdict) -> None:
        said = {"net": "", **verdict.to_json()}
        said["sample"] = sample_of(verdict.t0_us, self._rate_hz)
        said["flags"] = " ".join(f"{name}:{n}" for name, n in verdict.flags.items())
        self._file.write(_line([said[name] for name in COLUMNS]))


class VerdictFiles:
    """Every verdict to the table, and to the annotations of its bundle."""

    def __init__(
        self, table: TableFile | None, annotations: Mapping[str, AnnotationFile], paths: Sequence[Path]
    ) -> None:
        self._table, self._annotations, self.paths = table, annotations, tuple(paths)

    def take(self, verdict: Verdict) -> None:
        if self._table is not None:
            self._table.take(verdict)
        if verdict.bundle_digest in self._annotations:
            self._annotations[verdict.bundle_digest].take(verdict)


@contextmanager
def verdict_files(
    bundles: Sequence[Bundle], *, table: Path | None, annotations: Sequence[Path], rate_hz: int
) -> Iterator[VerdictFiles]:
    """Open what was asked for; the files are whole at the end of a run and where somebody stopped it."""
    with ExitStack() as stack:
        opened = {}
        for bundle, path in zip(bundles, annotations, strict=bool(annotations)):
            file = stack.enter_context(growing_file(path, end=END))
            opened[bundle.digest] = AnnotationFile(file, marker_of(bundle, rate_hz), rate_hz)
        rows = None if table is None else TableFile(stack.enter_context(growing_file(table)), rate_hz)
        yield VerdictFiles(rows, opened, [*annotations, *([] if table is None else [table])])


def annotation_paths(bundles: Sequence[Bundle], folder: Path, source: str) -> tuple[Path, ...]:
    """FOLDER/RECORD.qual and FOLDER/RECORD.beat, each refused before hours are spent on it."""
    record = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(source).stem).strip("_") or "stream"
    if not folder.is_dir():
        raise ContractError(f"--annotations {folder}: expected a folder, found none; make it first")
    paths = tuple(folder / f"{record}{_ending(bundle)}" for bundle in bundles)
    for path in paths:
        check_writable(path, (QUALITY_NAME, BEAT_NAME))
    return paths


def marker_of(bundle: Bundle, rate_hz: int) -> Marker:
    maker = BeatMarker if bundle.input is InputKind.BEAT else QualityMarker
    return maker(bundle, rate_hz)


def sample_of(t_us: int, rate_hz: int) -> int:
    """The nearest sample of the recording; what lies before its first is its first."""
    return max(0, (t_us * rate_hz + 500_000) // 1_000_000)


def _ending(bundle: Bundle) -> str:
    if bundle.input is InputKind.BEAT:
        return BEAT_NAME
    labels = bundle.labels.names
    if len(labels) == 2 and verdict_of(bundle).unusable == labels[0]:
        return QUALITY_NAME
    raise ContractError(
        f"--annotations: expected a bundle that judges beats or signal quality, got {bundle.name} "
        f"({bundle.input.value}: {', '.join(labels)})"
    )


def _line(values: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()
