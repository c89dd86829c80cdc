"""The room's own names are cheap until they are used."""

import subprocess
import sys

import pytest

import device_sim


def test_the_public_names_are_those_of_their_modules() -> None:
    from device_sim import frontend, pipeline, verdict

    homes = {"OpenBundle": pipeline, "open_bundle": pipeline, "Verdict": verdict}
    for name in device_sim.__all__:
        assert getattr(device_sim, name) is getattr(homes.get(name, frontend), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'device_sim' has no attribute 'Backend'"):
        _ = device_sim.Backend


def test_the_contract_loads_without_the_core() -> None:
    code = "import device_sim.contract.window, sys; sys.exit('device_sim.frontend' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
