"""What was measured outside a bundle is shown beside that very bundle, and beside no other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from device_sim.contract.bundle import Bundle, write_bundle
from device_sim.contract.cascade import bundles_of, read_application
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.inputs import InputKind
from device_sim.contract.metrics import metrics_to_json
from device_sim.evidence import Evidence, evidence_of, read_changed, read_cost
from tests.device_sim.bundles import bundle_of, cascade_of
from tests.device_sim.conftest import ROOT

NONE = Evidence(costs={}, changed={})


def cost_of(bundle: Bundle) -> dict[str, object]:
    metrics = {
        "accuracy/AUC on nothing": 0.5,
        "cortex-m4/instructions": 120,
        "cortex-m4/layer 00 conv_0": 100,
        "cortex-m4/layer 01 dense of two": 20,
    }
    return {"format": 1, "bundle": bundle.name, "digest": bundle.digest, "metrics": metrics}


def changed_of(bundle: Bundle) -> dict[str, object]:
    assert bundle.metrics is not None
    return {
        "side": "some",
        "n_windows": 100,
        "n_changed": 2,
        "lost": {"AUC": 0.01},
        "layers": {"conv_0": 2},
        "flips": ["r1, window 3: 0 -> 1, margin 0.040, off: conv_0"],
        "metrics": metrics_to_json(bundle.metrics),
    }


def put(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def test_layers_are_told_from_totals_and_accuracy(tmp_path: Path) -> None:
    bundle = bundle_of(InputKind.IMAGE)
    ((cost,),) = read_cost(put(tmp_path / "c.json", cost_of(bundle)), bundle).values()
    assert (cost.core, cost.totals) == ("cortex-m4", {"instructions": 120})
    assert cost.layers == {"conv_0": 100, "dense of two": 20}


def test_a_file_that_was_named_and_measured_another_bundle_is_refused(tmp_path: Path) -> None:
    image, beat = bundle_of(InputKind.IMAGE), bundle_of(InputKind.BEAT)
    with pytest.raises(
        DigestError, match=f"c.json: digest: expected {image.digest[:12]} \\(this bundle's\\), got"
    ):
        read_cost(put(tmp_path / "c.json", cost_of(beat)), image)
    with pytest.raises(DigestError, match=r"f.json: metrics.graph_sha256: expected [0-9a-f]{12} \(this"):
        read_changed(put(tmp_path / "f.json", changed_of(beat)), [image])
    with pytest.raises(
        ContractError, match=r"none.json: expected a baseline of `wristlead gate`, found none"
    ):
        read_cost(tmp_path / "none.json", image)


def test_a_checkout_is_searched_and_what_belongs_to_another_state_of_it_is_left_out(tmp_path: Path) -> None:
    bundle = replace(bundle_of(InputKind.IMAGE), provenance={"recipe": "r"})
    folder = tmp_path / "models" / "b"
    write_bundle(bundle, folder)
    assert evidence_of(bundle, folder, cost=None, changed=None) == NONE
    put(tmp_path / "budgets" / f"{bundle.name}.json", cost_of(bundle_of(InputKind.BEAT)))
    assert evidence_of(bundle, folder, cost=None, changed=None) == NONE
    put(tmp_path / "budgets" / f"{bundle.name}.json", cost_of(bundle))
    put(tmp_path / "training" / "results" / "r" / "int8-s0.json", changed_of(bundle))
    found = evidence_of(bundle, folder, cost=None, changed=None)
    assert [cost.core for cost in found.costs[""]] == ["cortex-m4"]
    assert found.changed[bundle.digest].n_changed == 2


def test_a_cascade_has_costs_of_each_network_and_of_all(tmp_path: Path) -> None:
    cascade = cascade_of()
    metrics = {
        "accuracy/quality/AUC on nothing": 0.5,
        "cortex-m4/flash_bytes": 5000,
        "cortex-m4/quality/instructions": 100,
        "cortex-m4/quality/layer 00 conv_0": 100,
        "cortex-m4/beat/layer 00 conv_0": 7,
    }
    path = put(tmp_path / "c.json", {"digest": cascade.digest, "metrics": metrics})
    found = read_cost(path, cascade)
    assert {net: [dict(one.totals) for one in costs] for net, costs in found.items()} == {
        "": [{"flash_bytes": 5000}],
        "quality": [{"instructions": 100}],
        "beat": [{}],
    }
    assert dict(found["beat"][0].layers) == {"conv_0": 7}
    changed = put(tmp_path / "f.json", changed_of(cascade.beat))
    assert read_changed(changed, bundles_of(cascade))[0] is cascade.beat


@pytest.mark.parametrize(
    ("name", "networks"),
    [("quality-tiny", [""]), ("beat-tiny", [""]), ("cascade", ["", "beat", "quality"])],
)
def test_what_ships_has_its_evidence_in_the_checkout(name: str, networks: list[str]) -> None:
    folder = ROOT / "models" / name
    application = read_application(folder)
    found = evidence_of(application, folder, cost=None, changed=None)
    assert sorted(found.costs) == networks
    assert set(found.changed) == {bundle.digest for bundle in bundles_of(application)}
