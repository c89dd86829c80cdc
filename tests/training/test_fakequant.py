"""The fake-quantised net computes what the integers compute, and learns through its own rounding."""

import numpy as np
import torch
from torch import nn

from device_sim import twin
from device_sim.requant import Code
from export.calibrate import calibrate
from export.fold import fold
from export.quantize import dequantize, quantize
from export.trace import trace
from export.tune import codes_of
from tests.export.nets import CODE, codes, example, unsettle
from training.fakequant import (
    ActivationCode,
    IntegerLike,
    TuneSpec,
    fake_activation,
    fake_weight,
    fold_norms,
    tune,
)
from training.nets import make_net

N_WINDOWS = 64
HALF_TO_EVEN = Code(0.5, 3)


def beat_net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return unsettle(make_net("beat_tiny", seed=5))


def test_rounding_is_that_of_export() -> None:
    x = torch.tensor([0.24, 0.25, 0.75, -0.25, 1000.0, -1000.0], requires_grad=True)
    y = fake_activation(x, ActivationCode(HALF_TO_EVEN.scale, HALF_TO_EVEN.zero_point))
    assert y.tolist() == [0.0, 0.0, 1.0, 0.0, 62.0, -65.5]
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]  # straight through, but for what is cut off
    weight = torch.tensor([[1.0, 0.3], [0.0, -2.0]])
    assert (fake_weight(weight) * 127 / torch.tensor([[1.0], [2.0]])).round().tolist() == [
        [127, 38],
        [0, -127],
    ]


def test_folding_norms_keeps_the_function_and_the_names() -> None:
    net = beat_net()
    folded = fold_norms(net)
    assert list(folded.state_dict()) == list(net.state_dict())
    x = torch.randn(16, 2, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(folded(x), net(x), rtol=1e-4, atol=1e-4)


def test_the_forward_pass_is_that_of_the_integers() -> None:
    """All but the last step of a code here and there: sums are float32 in training, int32 on the device."""
    net = fold_norms(beat_net())
    floats = fold(trace(net, {"x_bct": (2, 128)}, name="n"))
    windows = codes("beat_tiny", N_WINDOWS, seed=91)
    real = {name: x * CODE.scale for name, x in windows.items()}
    graph = quantize(floats, calibrate(floats, real), {"x_bct": CODE})
    running = IntegerLike(net, codes_of(graph))
    with torch.no_grad():
        found = running.run(torch.from_numpy(real["x_bct"][:, 0].transpose(0, 2, 1)).float()).numpy()
    output = graph.tensor(graph.outputs[0])
    integers = dequantize(twin.run(graph, windows)[output.name], output).ravel()
    steps = np.abs(found - integers) / output.scale
    assert (steps < 0.01).mean() > 0.6
    assert steps.max() < 2.01


def test_tuning_brings_integers_nearer_to_the_real_net() -> None:
    net = beat_net()
    one = example("beat_tiny")
    coarse = {
        name: ActivationCode(16 * one.graph.tensor(name).scale, -128)
        for name in ("encoder_2", "encoder_5", "encoder_8", "encoder_11")
    }
    x = torch.randn(256, 2, 128, generator=torch.Generator().manual_seed(2))
    losses: list[float] = []
    spec = TuneSpec(lr=1e-3, batch_size=32, epochs=4)
    tuned = tune(net, coarse, {"x_bct": x}, spec, seed=0, on_epoch=lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.7 * losses[0]
    again = tune(net, coarse, {"x_bct": x}, spec, seed=0)
    for name, value in tuned.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
