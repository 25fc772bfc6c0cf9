"""Claim: a whole search, from the command to the answer, is no slower than one written by hand.

    python -m benchmarks.end_to_end [--short] [--record]

The same 36 SVM configurations on scikit-learn's digits, same split, each fitted once and scored on
train, validation and test images, on 2 cores, as whole processes (imports and start-up included):
by `search svm`, by a script on bare Ray Tune, and by scikit-learn's GridSearchCV. The digits are so
small that this measures everything but the fits; `svm_grid.py` has the full-size story. Only ours
stores every trial; GridSearchCV needs no Ray, and starts in the time that Ray takes to say hello.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import compare, interleave, record

CLAIM = "a whole search of 36 SVMs on digits, from command to answer"

SPACE = """
model: svm
dataset: digits
points:
  - {kernel: rbf, C: [0.1, 1, 10, 100], gamma: [scale, 0.001, 0.01]}
  - {kernel: poly, C: [0.1, 1, 10, 100], gamma: [scale, 0.001, 0.01], degree: [2, 3]}
search: {sampler: grid}
"""

DATA = """
import numpy as np
from sklearn.preprocessing import StandardScaler
from tune_mnist.datasets import load_dataset
data = load_dataset("digits")
parts = [p.images.reshape(len(p), -1) / 127.5 - 1 for p in (data.train, data.val, data.test)]
scaler = StandardScaler().fit(parts[0])
X, V, T = (scaler.transform(p) for p in parts)
y, v, t = data.train.labels, data.val.labels, data.test.labels
GRID = [
    {"kernel": ["rbf"], "C": [0.1, 1, 10, 100], "gamma": ["scale", 0.001, 0.01]},
    {"kernel": ["poly"], "C": [0.1, 1, 10, 100], "gamma": ["scale", 0.001, 0.01], "degree": [2, 3]},
]
"""

BARE_RAY = (
    DATA
    + """
import ray
from ray import tune
from sklearn.model_selection import ParameterGrid
from sklearn.svm import SVC

def train(config, arrays):
    X, y, V, v, T, t = arrays
    svc = SVC(cache_size=2000, **config["svc"]).fit(X, y)
    tune.report({"train": svc.score(X, y), "val": svc.score(V, v), "test": svc.score(T, t)})

ray.init(num_cpus=2, log_to_driver=False)
tuner = tune.Tuner(
    tune.with_resources(tune.with_parameters(train, arrays=(X, y, V, v, T, t)), {"cpu": 1}),
    param_space={"svc": tune.grid_search(list(ParameterGrid(GRID)))},
    run_config=tune.RunConfig(storage_path=FOLDER),
)
print(tuner.fit().get_best_result("val", "max").metrics["val"])
"""
)

GRID_SEARCH_CV = (
    DATA
    + """
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.svm import SVC

fold = np.r_[np.full(len(X), -1), np.zeros(len(V), dtype=int)]
search = GridSearchCV(
    SVC(cache_size=2000), GRID, cv=PredefinedSplit(fold), n_jobs=2,
    return_train_score=True, refit=False,
).fit(np.r_[X, V], np.r_[y, v])
print(search.best_score_)
best = SVC(cache_size=2000, **search.best_params_).fit(X, y)
print(best.score(T, t))
"""
)


def ours(space: Path, folder: str) -> None:
    command = [sys.executable, "-m", "tune_mnist", "search", "svm", "--space", str(space)]
    # A finished trial of the last round would be reused, not run.
    options = ["--cpus", "2", "--results", f"{folder}/results", "--rerun"]
    subprocess.run([*command, *options], check=True, capture_output=True)


def script(text: str, folder: str) -> None:
    text = f"FOLDER = {folder!r}\n{text}"
    subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one round")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    arguments = parser.parse_args()
    rounds = 1 if arguments.short else 5
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "grid.yaml"
        space.write_text(SPACE)
        for rival, text in (("bare Ray Tune", BARE_RAY), ("GridSearchCV", GRID_SEARCH_CV)):
            timings = interleave(
                partial(ours, space, folder), partial(script, text, folder), rounds
            )
            figures.append(compare(f"36 SVMs on digits vs {rival}", *timings))
            print(figures[-1])
    if arguments.record:
        record(CLAIM, "python -m benchmarks.end_to_end", figures)


if __name__ == "__main__":
    main()
