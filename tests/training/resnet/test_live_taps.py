"""A network of live taps is torchvision's network, at any input size."""

from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_mnist.training.resnet.config import Optimizer, ResnetConfig
from tune_mnist.training.resnet.fused_update import fused_optimizer
from tune_mnist.training.resnet.live_taps import LiveConv2d, keep_live_taps, live_range

STEPS = 3


@given(size=st.integers(1, 12), kernel=st.integers(1, 7), stride=st.integers(1, 3), data=st.data())
def test_a_tap_is_cut_only_if_it_meets_no_pixel(
    size: int, kernel: int, stride: int, data: st.DataObject
) -> None:
    padding = data.draw(st.integers(0, kernel - 1))
    assume(size + 2 * padding >= kernel)
    weight = torch.ones(1, 1, kernel, requires_grad=True)
    output = torch.conv1d(torch.ones(1, 1, size), weight, None, stride, padding)
    (gradient,) = torch.autograd.grad(output.sum(), weight)
    meets = gradient.flatten().nonzero().flatten()
    assert live_range(size, kernel, stride, padding) == range(int(meets[0]), int(meets[-1]) + 1)


@settings(deadline=None)
@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    channels=st.sampled_from([3, 16]),
    data=st.data(),
)
def test_output_and_gradients_equal_the_whole_kernels(
    sides: tuple[int, int], kernel: int, stride: int, channels: int, data: st.DataObject
) -> None:
    padding = data.draw(st.integers(0, kernel - 1))
    assume(min(sides) + 2 * padding >= kernel)
    conv = nn.Conv2d(channels, 5, kernel, stride, padding, bias=False).double()
    ranges = [live_range(side, kernel, stride, padding) for side in sides]
    live = LiveConv2d(conv, ranges[0], ranges[1])
    x = torch.randn(2, channels, *sides, dtype=torch.float64, requires_grad=True)
    expected = conv(x)
    dy = torch.randn_like(expected)
    dx, d_weight = torch.autograd.grad(expected, (x, conv.weight), dy)
    got = live(x)
    torch.testing.assert_close(got, expected)
    live_dx, live_d_weight = torch.autograd.grad(got, (x, live.weight), dy)
    torch.testing.assert_close(live_dx, dx)
    torch.testing.assert_close(live_d_weight, d_weight[live.live])


def plain_and_live(architecture: str, side: int) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    plain = torchvision.models.get_model(architecture, num_classes=10).double()
    torch.manual_seed(0)
    live = torchvision.models.get_model(architecture, num_classes=10)
    keep_live_taps(live, side, side)
    return plain, live.double()


def losses(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> Tensor:
    labels = torch.arange(len(images)) % 10
    values = []
    for _ in range(STEPS):
        loss = cross_entropy(network(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        values.append(loss.detach())
    return torch.stack(values)


@pytest.mark.parametrize(
    ("architecture", "optimizer", "side", "count"),
    [
        ("resnet18", "sgd", 32, 8),
        ("resnet18", "adam", 28, 8),
        ("resnet18", "sgd", 40, 4),
        ("resnet18", "sgd", 64, 2),
        ("resnet18", "adam", 8, 8),
        ("resnet18", "sgd", 17, 8),
        ("resnet18", "sgd", 100, 2),
        # With 4 images, a change of 1e-16 in the input moves torchvision's own third loss by 1e-5.
        ("resnet50", "sgd", 32, 12),
    ],
)
def test_training_equals_torchvisions_and_exports_to_it(
    architecture: str, optimizer: Optimizer, side: int, count: int
) -> None:
    plain, live = plain_and_live(architecture, side)
    images = torch.randn(count, 3, side, side, dtype=torch.float64)
    reference = (
        torch.optim.SGD(plain.parameters(), lr=0.001, momentum=0.9)
        if optimizer == "sgd"
        else torch.optim.Adam(plain.parameters(), lr=0.001)
    )
    ours = fused_optimizer(live, ResnetConfig("resnet18", 16, optimizer, 0.001, 1))
    torch.testing.assert_close(losses(live, ours, images), losses(plain, reference, images))
    exported = torchvision.models.get_model(architecture, num_classes=10).double()
    exported.load_state_dict(live.state_dict())
    with torch.no_grad():
        expected = plain.eval()(images)
        for same in (live, exported):  # BatchNorm magnifies rounding
            torch.testing.assert_close(same.eval()(images), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_with_weight_decay_the_outputs_equal_torchvisions_too(optimizer: Optimizer) -> None:
    """Its dead taps shrink, and ours do not; neither ever meets a pixel."""
    plain, live = plain_and_live("resnet18", 32)
    images = torch.randn(8, 3, 32, 32, dtype=torch.float64)
    reference = (
        torch.optim.SGD(plain.parameters(), lr=0.001, momentum=0.5, weight_decay=0.1)
        if optimizer == "sgd"
        else torch.optim.Adam(plain.parameters(), lr=0.001, weight_decay=0.1)
    )
    config = ResnetConfig("resnet18", 16, optimizer, 0.001, 1, momentum=0.5, weight_decay=0.1)
    ours = fused_optimizer(live, config)
    torch.testing.assert_close(losses(live, ours, images), losses(plain, reference, images))
    with torch.no_grad():
        expected = plain.eval()(images)
        torch.testing.assert_close(live.eval()(images), expected, rtol=1e-5, atol=1e-7)


def test_dead_taps_are_exported_with_their_initial_values() -> None:
    torch.manual_seed(0)
    plain = torchvision.models.resnet18(num_classes=10)
    torch.manual_seed(0)
    live = torchvision.models.resnet18(num_classes=10)
    keep_live_taps(live, 32, 32)
    assert sum(weight.numel() for weight in live.parameters()) == 4_234_826
    for name, tensor in live.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_torchvisions_weights_load_and_are_returned_whole() -> None:
    other = torchvision.models.resnet18(num_classes=10).state_dict()
    live = torchvision.models.resnet18(num_classes=10)
    keep_live_taps(live, 32, 32)
    live.load_state_dict(other)
    for name, tensor in live.state_dict().items():
        assert torch.equal(tensor, other[name]), name
