"""A softmax regression in NumPy whose trials a service suggests; start it as often as you like.

python trainer.py http://127.0.0.1:8080
"""

import json
import os
import sys
import time
import urllib.request
from typing import Any

import numpy as np

SPACE = {
    "model": "external/softmax",
    "dataset": "blobs",
    "parameters": {"lr": {"log_uniform": [0.001, 10.0]}, "steps": {"int_uniform": [5, 200]}},
    "search": {"trials": 12},
}


def call(path: str, body: dict[str, Any], method: str = "POST") -> Any:
    url = f"{sys.argv[1]}/api/searches/blobs{path}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def train(lr: float, steps: int, seed: int) -> float:
    rng = np.random.default_rng(0)  # the same images for every trial
    labels = rng.integers(3, size=600)
    x = rng.normal(size=(600, 8)) + np.eye(3, 8)[labels] * 2
    w = np.random.default_rng(seed).normal(size=(8, 3))
    for _ in range(steps):
        scores = np.exp(x[:400] @ w - (x[:400] @ w).max(axis=1, keepdims=True))
        p = scores / scores.sum(axis=1, keepdims=True)
        w -= lr * x[:400].T @ (p - np.eye(3)[labels[:400]]) / 400
    return float(((x[400:] @ w).argmax(axis=1) == labels[400:]).mean())


call("", {"space": SPACE}, "PUT")  # whoever comes first begins the search
client = f"trainer-{os.getpid()}"
while not (told := call("/trials:suggest", {"client_id": client}))["ended"]:
    for one in told["trials"]:
        result = {"val_accuracy": train(**one["config"], seed=one["seed"])}
        call(f"/trials/{one['trial']}:complete", {"client_id": client, "result": result})
    if not told["trials"]:
        time.sleep(0.5)  # others train the last ones
