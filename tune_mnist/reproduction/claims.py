"""The audit: each key finding of the technical report, judged on its own figures and on ours.

Each claim is a check of runs, with no verdict written into it. The same check judges the technical
report's published figures, our runs on all training images, and our runs on each fraction of them.
Runs on a fraction decide nothing about the full size, so they are judged and shown separately.
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
        name: a short, unique name.
        said: the technical report's words, shortened if need be.
        section: where it says so.
        test: what decides, for people.
        check: the function that judges runs.
        every_test_set: whether it also needs the runs that were tested on the held-out images.
    """

    name: str
    said: str
    section: str
    test: str
    check: Check
    every_test_set: bool = False


@dataclass(frozen=True)
class Audit:
    """A claim and the findings about it; in `at_fraction`, the largest fraction comes first."""

    claim: Claim
    published: Finding
    ours: Finding
    at_fraction: tuple[tuple[float, Finding], ...]


_PAIRS = (
    "differences of test accuracy in pairs that agree in everything else, averaged over epochs,"
    " with Student's 95 % interval"
)
_BEST = (
    "the test accuracies of each optimizer's best setting by validation; their difference must"
    " exceed the pooled seed noise"
)
_RATIO = (
    "the geometric mean ratio of wall times, in pairs of equal epochs on one host; its 95 %"
    " interval must lie within 10 % of the claim, and times taken beside other trials decide"
    " nothing"
)
_TIMES = (
    "times taken beside other trials decide nothing, and times that leave out a matrix which SVMs"
    " shared do not count"
)
_IMAGES = "more than another draw of test images may change (95 %)"

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
        _PAIRS + ", which must lie within 8 to 12 points",
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
        "what choosing by test gains on the seeds that chose nothing, on average over the four"
        " grids; its 95 % interval must lie within ±0.55 points",
        resnet_claims.test_would_choose_the_same,
    ),
    Claim(
        "11.7 M and 25.6 M parameters",
        "ResNet-18: 11.7M parameters, ResNet-50: 25.6M, with a 10-class layer",
        "2.1.2",
        "the exact count in the network that trained",
        resnet_claims.has_parameters,
    ),
    Claim(
        "37.2 M and 84.3 M FLOPs",
        "ResNet-50 requires 2.27× more FLOPs than ResNet-18 (84.3M vs 37.2M)",
        "4.2.2",
        "the multiply-adds of one image's forward pass, within 2 % because the technical report"
        " also counts BatchNorm",
        resnet_claims.has_flops,
    ),
    Claim(
        "C = 10 best",
        "SVM C parameter critically impacts accuracy, with C=10.0 being optimal",
        "3.2, 6",
        "the test accuracy of the best setting by validation at each C; C = 10 must lead by"
        f" {_IMAGES}",
        svm_claims.c_of_10_is_best,
    ),
    Claim(
        "Poly best on MNIST, rbf on FashionMNIST",
        "Polynomial kernel optimal for MNIST; RBF optimal for FashionMNIST",
        "3.3",
        f"the test accuracy of each kernel's best setting by validation; it must lead by {_IMAGES}",
        svm_claims.poly_best_on_mnist_rbf_on_fashion,
    ),
    Claim(
        "Degree 3 beats degree 2",
        "polynomial degree 3 outperforms degree 2",
        "3.2",
        "paired differences of test accuracy at equal C and gamma, with Student's 95 % interval",
        svm_claims.degree_3_beats_2,
    ),
    Claim(
        "RBF 9 % faster than poly",
        "RBF and Poly kernels achieve similar accuracy, with RBF being 9% faster",
        "3.2",
        "the ratio of geometric mean wall times on one machine; the saving's 95 % interval, of the"
        " noise between runs of one setting, must lie within 4 to 14 %; " + _TIMES,
        svm_claims.rbf_faster_than_poly,
    ),
    Claim(
        "Many SVMs overfit",
        "Many configurations achieved 100% training accuracy but significantly lower test",
        "3.3",
        "the settings that print 100.00 % on the training images: there must be 3, a point worse"
        " on the test images, and that whichever images were drawn (95 %)",
        svm_claims.many_overfit,
    ),
    Claim(
        "Tested on 12,000 images",
        "Split: 70% train (42,000), 10% validation (6,000), 20% test (12,000)",
        "1.1",
        "the printed accuracies of the two best SVMs, compared with ours on either test set",
        svm_claims.tested_on_12000,
        every_test_set=True,
    ),
    Claim(
        "Accuracy equal on CPU and GPU",
        "CPU and GPU achieve nearly identical accuracy",
        "4.2.2",
        "paired differences of test accuracy; their 95 % interval must lie within ±0.55 points",
        device_claims.equal_on_cpu_and_gpu,
    ),
    Claim(
        "Deterministic training",
        "Negligible difference (0.55%) between CPU and GPU, demonstrating deterministic training",
        "4.3",
        "equal trainings on one seed in one place, by one version of the code; one that differs"
        " from its repeat refutes it, and a CPU that differs from a GPU does not",
        device_claims.deterministic,
    ),
    Claim(
        "Larger models gain more from the GPU",
        "Larger models benefit more from GPU acceleration",
        "4.3",
        "the ratio of the GPU's speed-ups of the two networks on one host; its 95 % interval must"
        " lie above 1",
        device_claims.gpu_speedup_grows,
    ),
    Claim(
        "2.25× time for 2.27× FLOPs",
        "ResNet-50's 2.27× FLOPs increase translates to 2.25× longer training time",
        "4.3",
        _RATIO + " on each device",
        device_claims.time_follows_flops,
    ),
    Claim(
        "ResNet-18 trains 11.5× faster than SVM",
        "ResNet-18 trained 11.5× faster than SVM, demonstrating superior scalability",
        "5.2.2",
        "the ratio of geometric mean wall times on one machine; its 95 % interval, of the noise"
        " between runs of one setting, must lie within 10 % of the claim; " + _TIMES,
        svm_claims.resnet18_faster_than_svm,
    ),
)


def audit(published: pd.DataFrame, ours: pd.DataFrame) -> list[Audit]:
    """Judge every claim.

    Args:
        published: the technical report's own runs (`runs.published_runs`).
        ours: our runs, on any fractions of the training images (`runs.stored_runs`).
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
    """Return what the runs on one fraction of the training images say about a claim."""
    return claim.check(runs if claim.every_test_set else runs[runs["test_set"] == "standard"])
