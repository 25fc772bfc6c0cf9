"""Hyperparameter search for image classifiers on Ray Tune.

    from tune_mnist import SearchRequest, figures, load_results, search

    search(SearchRequest(space="which", dataset="digits", trials=20))
    results = load_results("results")
    figures.tradeoff(results)

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune_mnist import figures as figures
    from tune_mnist.actions.requests import ExportRequest as ExportRequest
    from tune_mnist.actions.requests import ResumeRequest as ResumeRequest
    from tune_mnist.actions.requests import SearchRequest as SearchRequest
    from tune_mnist.analysis.results import leaderboard as leaderboard
    from tune_mnist.analysis.results import load_results as load_results
    from tune_mnist.api import export_model as export_model
    from tune_mnist.api import resume as resume
    from tune_mnist.api import search as search
    from tune_mnist.client import Client as Client
    from tune_mnist.errors import InputError as InputError
    from tune_mnist.training.own.parameters import Range as Range
    from tune_mnist.training.own.reporter import Reporter as Reporter
    from tune_mnist.training.own.reporter import TrainingData as TrainingData
    from tune_mnist.training.own.reporter import trainer as trainer

_WHERE = {
    "Client": "client",
    "ExportRequest": "actions.requests",
    "InputError": "errors",
    "Range": "training.own.parameters",
    "Reporter": "training.own.reporter",
    "ResumeRequest": "actions.requests",
    "SearchRequest": "actions.requests",
    "TrainingData": "training.own.reporter",
    "export_model": "api",
    "leaderboard": "analysis.results",
    "load_results": "analysis.results",
    "resume": "api",
    "search": "api",
    "trainer": "training.own.reporter",
}

__all__ = [
    "Client",
    "ExportRequest",
    "InputError",
    "Range",
    "Reporter",
    "ResumeRequest",
    "SearchRequest",
    "TrainingData",
    "export_model",
    "figures",
    "leaderboard",
    "load_results",
    "resume",
    "search",
    "trainer",
]


def __getattr__(name: str) -> Any:
    if name == "figures":
        return import_module("tune_mnist.figures")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tune_mnist.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
