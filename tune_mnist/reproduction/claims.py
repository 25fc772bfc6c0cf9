"""The audit: each key finding of the technical report, judged on its own figures and on ours.

A claim is a check of runs; it hard-codes no verdict. The same check reads the technical report's
published figures, our runs at full size, and ours at each fraction of the training images: a
fraction decides nothing about the full size, so it stands beside, under its own name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from tune_mnist.reproduction import device_claims, resnet_claims, svm_claims
from tune_mnist.reproduction.evidence import Finding

Check = Callable[[pd.DataFrame], Finding]


@dataclass(frozen=True)
class Claim:
    """A finding of the technical report.

    Args:
        name: short, unique.
        said: what the technical report says, in its words as far as they fit.
        section: where.
        test: how runs judge it.
        check: the judge.
        every_test_set: it needs runs on the held-out images too, not the standard ones alone.
    """

    name: str
    said: str
    section: str
    test: str
    check: Check
    every_test_set: bool = False


@dataclass(frozen=True)
class Audit:
    """A claim and what each body of runs says of it; `at_fraction` the largest fraction first."""

    claim: Claim
    published: Finding
    ours: Finding
    at_fraction: tuple[tuple[float, Finding], ...]


_PAIRS = (
    "paired differences of test accuracy over the grid, epochs averaged; Student's 95 % interval"
)
_BEST = (
    "the best setting of each optimizer by validation, their difference on the test images"
    " against the pooled seed noise"
)
_RATIO = "geometric mean of paired wall times on one machine, 95 % interval within 10 % of that"
_EXACT = "exact: SVM results do not depend on a seed"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "ResNet-18 beats ResNet-50",
        "ResNet-18 consistently outperformed ResNet-50 on both datasets",
        "2.3",
        _PAIRS,
        resnet_claims.resnet18_beats_resnet50,
    ),
    Claim(
        "SGD best on MNIST",
        "SGD achieved best results on MNIST",
        "2.3",
        _BEST,
        resnet_claims.sgd_best_on_mnist,
    ),
    Claim(
        "Adam best on FashionMNIST",
        "Adam performed better on FashionMNIST",
        "2.3",
        _BEST,
        resnet_claims.adam_best_on_fashion,
    ),
    Claim(
        "FashionMNIST 10 points harder",
        "FashionMNIST proved significantly more challenging (10% lower accuracy)",
        "2.3",
        _PAIRS + " within 8 to 12 points",
        resnet_claims.fashion_ten_points_harder,
    ),
    Claim(
        "ResNet-18 trains 2.65× faster",
        "ResNet-18 trained 2.65× faster than ResNet-50 on average",
        "2.3",
        _RATIO,
        resnet_claims.resnet18_trains_faster,
    ),
    Claim(
        "Winners do not depend on choosing by test accuracy",
        "Table 1 names the configurations of highest test accuracy",
        "2.2",
        "the run that test accuracy picks against the one that validation picks, on the test set",
        resnet_claims.test_would_choose_the_same,
    ),
    Claim(
        "11.7 M and 25.6 M parameters",
        "ResNet-18: 11.7M parameters, ResNet-50: 25.6M, with a 10-class layer",
        "2.1.2",
        "exact: counted in the network that trained",
        resnet_claims.has_parameters,
    ),
    Claim(
        "37.2 M and 84.3 M FLOPs",
        "ResNet-50 requires 2.27× more FLOPs than ResNet-18 (84.3M vs 37.2M)",
        "4.2.2",
        "exact: multiply-adds of one image forward, to 2 %: what counting BatchNorm makes",
        resnet_claims.has_flops,
    ),
    Claim(
        "C = 10 best",
        "SVM C parameter critically impacts accuracy, with C=10.0 being optimal",
        "3.2, 6",
        _EXACT,
        svm_claims.c_of_10_is_best,
    ),
    Claim(
        "Poly best on MNIST, rbf on FashionMNIST",
        "Polynomial kernel optimal for MNIST; RBF optimal for FashionMNIST",
        "3.3",
        _EXACT,
        svm_claims.poly_best_on_mnist_rbf_on_fashion,
    ),
    Claim(
        "Degree 3 beats degree 2",
        "polynomial degree 3 outperforms degree 2",
        "3.2",
        _EXACT,
        svm_claims.degree_3_beats_2,
    ),
    Claim(
        "RBF 9 % faster than poly",
        "RBF and Poly kernels achieve similar accuracy, with RBF being 9% faster",
        "3.2",
        "ratio of geometric mean wall times on one machine, Welch's 95 % interval within 4 to 14 %",
        svm_claims.rbf_faster_than_poly,
    ),
    Claim(
        "Many SVMs overfit",
        "Many configurations achieved 100% training accuracy but significantly lower test",
        "3.3",
        _EXACT,
        svm_claims.many_overfit,
    ),
    Claim(
        "Tested on 12,000 images",
        "Split: 70% train (42,000), 10% validation (6,000), 20% test (12,000)",
        "1.1",
        "exact: the printed accuracies of the two best SVMs against ours on either test set",
        svm_claims.tested_on_12000,
        every_test_set=True,
    ),
    Claim(
        "Accuracy equal on CPU and GPU",
        "CPU and GPU achieve nearly identical accuracy",
        "4.2.2",
        "paired differences, 95 % interval within ±0.55 points",
        device_claims.equal_on_cpu_and_gpu,
    ),
    Claim(
        "Deterministic training",
        "Negligible difference (0.55%) between CPU and GPU, demonstrating deterministic training",
        "4.3",
        "exact: any pair that differs refutes it",
        device_claims.deterministic,
    ),
    Claim(
        "Larger models gain more from the GPU",
        "Larger models benefit more from GPU acceleration",
        "4.3",
        "speed-up of ResNet-50 above that of ResNet-18 with either optimizer",
        device_claims.gpu_speedup_grows,
    ),
    Claim(
        "2.25× time for 2.27× FLOPs",
        "ResNet-50's 2.27× FLOPs increase translates to 2.25× longer training time",
        "4.3",
        _RATIO + ", on each device",
        device_claims.time_follows_flops,
    ),
    Claim(
        "ResNet-18 trains 11.5× faster than SVM",
        "ResNet-18 trained 11.5× faster than SVM, demonstrating superior scalability",
        "5.2.2",
        "ratio of geometric mean wall times on one machine, Welch's 95 % interval within 10 %",
        svm_claims.resnet18_faster_than_svm,
    ),
)


def audit(published: pd.DataFrame, ours: pd.DataFrame) -> list[Audit]:
    """Judge every claim.

    Args:
        published: `runs.published_runs`.
        ours: `runs.stored_runs`, of any fractions.
    """
    fractions = sorted(set(ours["fraction"]) - {1.0}, reverse=True)
    return [
        Audit(
            claim,
            judged(claim, published),
            judged(claim, ours[ours["fraction"] == 1.0]),
            tuple((part, judged(claim, ours[ours["fraction"] == part])) for part in fractions),
        )
        for claim in CLAIMS
    ]


def judged(claim: Claim, runs: pd.DataFrame) -> Finding:
    """Return what runs of one fraction say of a claim."""
    return claim.check(runs if claim.every_test_set else runs[runs["test_set"] == "standard"])
