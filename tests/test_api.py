"""The Python API: what it has, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import tune_mnist

PUBLIC = {
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
}


def test_the_public_names_are_these() -> None:
    assert set(tune_mnist.__all__) == PUBLIC
    assert set(dir(tune_mnist)) >= PUBLIC


def test_every_public_name_has_a_docstring() -> None:
    assert {name for name in PUBLIC if not getattr(tune_mnist, name).__doc__} == set()


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, tune_mnist; sys.exit('pydantic' in sys.modules or 'pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_search_is_the_verb_whatever_was_imported_before() -> None:
    code = (
        "import tune_mnist.searching.planning.plan, tune_mnist.actions.search;"
        "from tune_mnist import search, resume; assert callable(search) and callable(resume)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
