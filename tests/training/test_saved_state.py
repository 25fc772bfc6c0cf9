"""A state that was torn or changed is recognised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tune_mnist.training.saved_state import FILE, is_whole


@pytest.fixture
def state(tmp_path: Path) -> Path:
    torch.save({"weights": torch.arange(1000.0)}, tmp_path / FILE)
    return tmp_path / FILE


def test_what_torch_wrote_is_whole(state: Path) -> None:
    assert is_whole(state.parent)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_state_cut_short_is_not_whole(part: float, state: Path) -> None:
    whole = state.read_bytes()
    state.write_bytes(whole[: int(part * len(whole))])
    assert not is_whole(state.parent)


def test_a_flipped_bit_of_the_weights_is_noticed(state: Path) -> None:
    whole = bytearray(state.read_bytes())
    middle = whole.index(torch.arange(1000.0).numpy().tobytes()) + 2000
    whole[middle] ^= 1
    state.write_bytes(whole)
    assert not is_whole(state.parent)


def test_no_state_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path)
