"""A cascade: a folder that names a quality and a beat bundle by digest, and the gate between them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from device_sim.contract.budget import Budget, budget_from_json
from device_sim.contract.bundle import Bundle, read_bundle, write_bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields
from device_sim.contract.gate import MAX_HOP_COLUMNS, Gate, gate_from_json, gate_to_json
from device_sim.contract.inputs import HOP_SAMPLES, IMAGES, InputKind
from device_sim.contract.signed import (
    FORMAT,
    MANIFEST,
    check_file_name,
    check_name,
    digest_of,
    listed,
    read_files,
    read_signed,
    write_signed,
)

KIND = "cascade"
QUALITY, BEAT = "quality", "beat"  # its two folders
TAKEN = (MANIFEST, QUALITY, BEAT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cascade:
    """Beats are judged only where the quality network finds the signal good enough."""

    name: str
    quality: Bundle
    beat: Bundle
    gate: Gate
    budget: Budget | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # MODEL_CARD.md

    def __post_init__(self) -> None:
        check_name(self.name, KIND)
        for name in self.files:
            check_file_name(name, KIND, TAKEN)
        for role, bundle, kinds in (
            (QUALITY, self.quality, IMAGES),
            (BEAT, self.beat, (InputKind.BEAT,)),
        ):
            if bundle.input not in kinds:
                expected = " or ".join(kinds)
                raise ContractError(f"{role}: input: expected {expected}, got {bundle.input} ({bundle.name})")
            if bundle.verdict is None:
                raise ContractError(
                    f"{role}: verdict: expected thresholds and scores, found none ({bundle.name})"
                )
        assert self.quality.verdict is not None
        outputs = [one.output for one in self.quality.verdict.questions]
        if self.gate.output not in outputs:
            raise ContractError(
                f"gate.output: expected an output that the quality network's questions ask for "
                f"({', '.join(outputs)}), got {self.gate.output[:80]!r}"
            )
        if self.quality.window.hop_samples > MAX_HOP_COLUMNS * HOP_SAMPLES:
            raise ContractError(
                f"quality: window.hop_samples: expected at most {MAX_HOP_COLUMNS * HOP_SAMPLES}, "
                f"got {self.quality.window.hop_samples}: a beat would lie in no window"
            )

    @property
    def digest(self) -> str:
        """Of everything, the two bundles by theirs."""
        return digest_of(_manifest(self))


def _manifest(cascade: Cascade) -> dict[str, Any]:
    """All but the digest."""
    made: dict[str, Any] = {
        "format": FORMAT,
        "kind": KIND,
        "name": cascade.name,
        QUALITY: {"name": cascade.quality.name, "digest": cascade.quality.digest},
        BEAT: {"name": cascade.beat.name, "digest": cascade.beat.digest},
        "gate": gate_to_json(cascade.gate),
        "provenance": dict(cascade.provenance),
        "files": listed(cascade.files),
    }
    if cascade.budget is not None:
        made["budget"] = asdict(cascade.budget)
    return made


def write_cascade(cascade: Cascade, folder: Path) -> str:
    """Write the folder, whole or not at all, and give its digest."""

    def fill(fresh: Path) -> None:
        write_bundle(cascade.quality, fresh / QUALITY)
        write_bundle(cascade.beat, fresh / BEAT)
        for file, raw in cascade.files.items():
            (fresh / file).write_bytes(raw)

    return write_signed(folder, _manifest(cascade), fill)


def read_cascade(folder: Path) -> Cascade:
    """The cascade, every digest checked before a byte is used."""
    fields = read_signed(folder)
    if not fields.has("kind"):
        raise ContractError(
            f"{folder / MANIFEST}: kind: expected {KIND!r}, found none; it is a single bundle"
        )
    return _cascade(fields, folder)


def write_application(application: Bundle | Cascade, folder: Path) -> str:
    """Whichever it is."""
    if isinstance(application, Cascade):
        return write_cascade(application, folder)
    return write_bundle(application, folder)


def read_application(folder: Path) -> Bundle | Cascade:
    """Whichever lies there."""
    fields = read_signed(folder)
    return _cascade(fields, folder) if fields.has("kind") else read_bundle(folder)


def _cascade(fields: Fields, folder: Path) -> Cascade:
    try:
        return _from_fields(fields, folder)
    except (ContractError, DigestError) as error:
        if str(error).startswith(str(folder)):
            raise
        raise type(error)(f"{folder / MANIFEST}: {error}") from None


def _from_fields(fields: Fields, folder: Path) -> Cascade:
    kind = fields.text("kind")
    if kind != KIND:
        raise ContractError(f"kind: expected {KIND!r}, got {kind[:40]!r}")
    name = fields.text("name")
    gate = gate_from_json(fields.object("gate"))
    provenance = fields.object("provenance")
    made = Cascade(
        name=name,
        quality=_named(fields.object(QUALITY), folder / QUALITY),
        beat=_named(fields.object(BEAT), folder / BEAT),
        gate=gate,
        budget=budget_from_json(fields.object("budget")) if fields.has("budget") else None,
        provenance={one: provenance.text(one) for one in provenance.names()},
        files=read_files(fields.object("files"), folder, KIND, TAKEN),
    )
    fields.done()
    return made


def _named(read: Fields, folder: Path) -> Bundle:
    """The bundle of a sub-folder, if it is the one that was meant."""
    name, digest = read.text("name"), read.text("digest")
    read.done()
    if folder.is_symlink() or not folder.is_dir():
        raise ContractError(f"{folder}: expected the folder of a bundle, found none")
    bundle = read_bundle(folder)
    if (bundle.name, bundle.digest) != (name, digest):
        raise DigestError(
            f"{folder}: expected {name[:40]!r} {digest[:12]!r}.., "
            f"got {bundle.name!r} {bundle.digest[:12]}..; another bundle was put in its place"
        )
    return bundle


def bundles_of(application: Bundle | Cascade) -> tuple[Bundle, ...]:
    """In the order the device runs them."""
    return (application.quality, application.beat) if isinstance(application, Cascade) else (application,)


def gate_of(application: Bundle | Cascade) -> Gate | None:
    return application.gate if isinstance(application, Cascade) else None
