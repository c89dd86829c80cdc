"""Labels are few, short, printable and different."""

import pytest

from device_sim.contract.errors import ContractError
from device_sim.contract.labels import Labels


def test_labels_keep_their_order() -> None:
    assert Labels(("normal", "abnormal")).names == ("normal", "abnormal")
    assert len(Labels(("good", "bad", "noise"))) == 3


@pytest.mark.parametrize(
    "names", [(), ("",), ("a", "a"), ("a\nb",), ("x" * 65,), tuple(map(str, range(257)))]
)
def test_labels_that_make_no_sense_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ContractError, match=r"^labels: expected"):
        Labels(names)
