"""What the checks of the claims find in the technical report's own figures."""

from __future__ import annotations

import numpy as np

from tune_mnist.reproduction.claims import audit
from tune_mnist.reproduction.runs import published_runs


def test_the_technical_reports_own_figures_are_judged_by_the_same_checks() -> None:
    found = {
        one.claim.name: one.published.verdict
        for one in audit(published_runs(), published_runs()[:0])
    }
    assert found["ResNet-18 beats ResNet-50"] == "holds"
    assert found["Deterministic training"] == "not decidable"  # it set no seed
    assert found["ResNet-18 trains 2.65× faster"] == "does not hold"
    assert found["ResNet-18 trains 11.5× faster than SVM"] == "not decidable"  # GPU against CPU


def test_choosing_by_test_accuracy_is_compared_with_the_repeats() -> None:
    found = {one.claim.name: one.published for one in audit(published_runs(), published_runs()[:0])}
    told = found["Winners do not depend on choosing by test accuracy"].evidence
    grid = published_runs().query("dataset == 'mnist' and kind == 'resnet18' and val_accuracy > 0")
    by_validation = grid.sort_values("val_accuracy", kind="stable", ascending=False)[
        "test_accuracy"
    ]
    optimism = 100 * (grid["test_accuracy"].max() - by_validation.iloc[0])
    assert f"ResNet-18 on MNIST: {optimism:+.2f} points" in told
    assert np.isclose(optimism, 0.36)
