"""Two bundles and a gate become a cascade, with a card."""

from collections.abc import Mapping

from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from export.shipping_list import CascadeShipment


def cascade_of(shipment: CascadeShipment, bundles: Mapping[str, Bundle]) -> Cascade:
    """The cascade, not yet on disk; the bundles in it are those that ship alone."""
    quality, beat = bundles[shipment.quality], bundles[shipment.beat]
    return Cascade(
        name=shipment.name,
        quality=quality,
        beat=beat,
        gate=shipment.gate,
        budget=shipment.budget,
        provenance={"gate": shipment.found},
        files={"MODEL_CARD.md": _card(shipment).encode()},
    )


def _card(shipment: CascadeShipment) -> str:
    gate = shipment.gate
    band = "" if gate.accept_q8 - gate.reject_q8 == 1 else f", refused up to {gate.reject_q8 / 256:.4g}"
    held = f", kept for {gate.hold_q8 / 256:.4g} more" if gate.hold_q8 else ""
    remembered = "left out of" if gate.protects else "part of"
    return f"""\
# {shipment.name}

Beats are judged by `{shipment.beat}` where `{shipment.quality}` finds the signal good enough: where the mean
code of `{gate.output}` over the first {gate.windows} windows that contain a beat is \
{gate.accept_q8 / 256:.4g} or more{band}{held}.
A beat that is not judged is counted as such, and {remembered} what is remembered of the wearer.

The gate: {shipment.found}.

What each network was trained on and how good it is stands in the card of its own folder.

Not a medical device.
"""
