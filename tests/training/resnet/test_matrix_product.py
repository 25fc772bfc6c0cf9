"""oneDNN's matrix products equal the BLAS's, in every memory layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tune_mnist.training.resnet import matrix_product
from tune_mnist.training.resnet.matrix_product import linear, product

LAYOUTS: dict[str, Callable[[int, int], Tensor]] = {
    "rows": lambda m, k: torch.randn(m, k),
    "columns": lambda m, k: torch.randn(k, m).t(),
    "rows with gaps": lambda m, k: torch.randn(m, 2 * k)[:, :k],
    "columns with gaps": lambda m, k: torch.randn(k, 4 * m)[:, :m].t(),
    "one number": lambda m, k: torch.randn(1, 1).expand(m, k),
}
SIDES = st.integers(1, 70)


@settings(deadline=None)
@given(
    m=SIDES, n=SIDES, k=SIDES, of_a=st.sampled_from([*LAYOUTS]), of_b=st.sampled_from([*LAYOUTS])
)
def test_a_product_depends_on_the_numbers_not_on_their_layout(
    m: int, n: int, k: int, of_a: str, of_b: str
) -> None:
    a, b = LAYOUTS[of_a](m, k), LAYOUTS[of_b](n, k)
    exact = a.double() @ b.double().t()
    bound = 1e-6 * (k + 2) * (a.double().abs() @ b.double().abs().t())
    assert ((product(a, b).double() - exact).abs() <= bound).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_those_of_a_linear_layer(dtype: torch.dtype) -> None:
    x = torch.randn(16, 48, dtype=dtype, requires_grad=True)
    weight = torch.randn(32, 48, dtype=dtype, requires_grad=True)
    dy = torch.randn(16, 32, dtype=dtype)
    expected = torch.autograd.grad(torch.nn.functional.linear(x, weight), (x, weight), dy)
    torch.testing.assert_close(torch.autograd.grad(linear(x, weight), (x, weight), dy), expected)


def test_an_input_that_needs_no_gradient_gets_none() -> None:
    x, weight = torch.randn(4, 3), torch.randn(2, 3, requires_grad=True)
    (d_weight,) = torch.autograd.grad(linear(x, weight).sum(), weight)
    torch.testing.assert_close(d_weight, x.sum(0).expand(2, 3))


def test_the_version_of_torch_that_we_install_has_the_operator() -> None:
    """If torch is built with oneDNN: without the operator trials would be slower, and none fail."""
    built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    assert built_in == matrix_product.ONEDNN
