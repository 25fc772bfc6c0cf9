"""Claim: the engine that a plan chooses for SVMs is the fastest for classes few or many.

    python -m benchmarks.svm_classes [--classes 10 100 300] [--images 7 40]

A C-SVC of k classes is k(k-1)/2 problems. With many small classes, what an engine does once for
each problem counts for more than how fast it solves one. Each engine fits and measures one SVM
(rbf, C=10) on synthetic images: 16x16 pixels of noise around a centre for each class. The time is
the processor's, so a busy machine changes it little; the shared matrix is built beforehand, as in a
search. Loading numba, which the shared matrix needs, is not counted: it is why a search of fewer
than 4,000 images shares none.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.svm import train as svm
from tune_mnist.training.svm.config import GRAM_KERNELS, SvmConfig, choose_engine
from tune_mnist.training.svm.gram import build_gram

CONFIG = SvmConfig("rbf", 10.0)
PLENTY = 1 << 40  # bytes


def synthetic(classes: int, images: int) -> Dataset:
    """Return a data set with so many training images of each class, and 3/7 of that to measure."""
    rng = np.random.default_rng(0)
    centres = rng.integers(64, 192, (classes, 16, 16))

    def part(each: int) -> Images:
        labels = np.repeat(np.arange(classes), each)
        pixels = centres[labels] + rng.normal(0, 40, (len(labels), 16, 16))
        return Images(pixels.clip(0, 255).astype(np.uint8), labels)

    names = tuple(map(str, range(classes)))
    val, test = max(1, images // 7), max(1, 2 * images // 7)
    return Dataset("synthetic", part(images), part(val), part(test), names, "hash", "by hand")


def seconds(engine: str, data: Dataset) -> float:
    """Return the processor's seconds that one SVM takes."""
    own = "scikit-learn-intelex" if engine == "scikit-learn-intelex" else "scikit-learn"
    vars(svm)["own_engine"] = lambda *_: own
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) if engine == "shared-gram" else None
        if shared:
            build_gram(data, shared, 1)
            svm.load_engine()
        start = time.process_time()
        measured = svm.train(CONFIG, data, lambda *_: None, TrainOptions(gram_dir=shared))
        taken = time.process_time() - start
    assert measured["engine"] == engine
    return taken


def main() -> None:
    """Time the engines, print a line for each number of classes and of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 30, 100, 300])
    parser.add_argument("--images", type=int, nargs="+", default=[7, 40])
    arguments = parser.parse_args()
    assert CONFIG.kernel in GRAM_KERNELS
    engines = ("scikit-learn", "scikit-learn-intelex", "shared-gram")
    for engine in engines:  # libraries are loaded and code is compiled before any timing
        seconds(engine, synthetic(3, 7))
    for classes, images in itertools.product(arguments.classes, arguments.images):
        data = synthetic(classes, images)
        taken = {engine: seconds(engine, data) for engine in engines}
        chosen, _ = choose_engine(
            [CONFIG], len(data.train), len(data.val) + len(data.test), classes, PLENTY
        )
        times = ", ".join(f"{engine} {taken[engine]:.2f} s" for engine in engines)
        print(f"{classes} classes of {images}: {times}; chosen {chosen}", flush=True)


if __name__ == "__main__":
    main()
