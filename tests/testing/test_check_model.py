"""`check_model` accepts our own models and the guide's, and names what a broken one breaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

from tests.models.written import HEAD, write_model
from tune_mnist import Range, Reporter, TrainingData
from tune_mnist.errors import InputError
from tune_mnist.models.registry import model_names
from tune_mnist.spaces import read_space
from tune_mnist.testing import BrokenModelError, check_model

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "models"


@pytest.mark.parametrize("model", model_names())
def test_ours_keep_the_rules(model: str) -> None:
    check_model(model)


@pytest.mark.parametrize("file", ["small_cnn", "mobilenet"])
def test_the_guides_models_keep_the_rules(file: str) -> None:
    read_space(GUIDE / f"{file}.yaml")
    check_model(f"{file}:train")


def test_a_quick_model_keeps_them_with_another_configuration(tmp_path: Path) -> None:
    read_space(write_model(tmp_path))
    check_model("means:train", {"scale": 2})


def test_a_hyperparameter_that_it_does_not_have_is_no_break_of_the_rules(tmp_path: Path) -> None:
    read_space(write_model(tmp_path))
    with pytest.raises(InputError, match="`config`: scal: not a parameter of means:train; did you"):
        check_model("means:train", {"scal": 2})


PLAIN = "    def zeros(images):\n        return np.zeros(len(images), int)\n"
DEFINITION = "def train(config: Config, data: TrainingData, report: Reporter) -> None:\n"
ALL_EPOCHS = "    for _ in range(config.epochs):\n"

FUNCTIONS = {
    "it raises": (
        "    raise RuntimeError('no such layer')\n",
        "it does not train: RuntimeError: no",
    ),
    "it changes the images": (
        "    data.train.images[0] = 0\n",
        "it does not train: ValueError: assignment destination is read-only (broken.py, line 14)",
    ),
    "it is never the same": (
        "    draws = np.random.default_rng()\n"
        + ALL_EPOCHS
        + "        report(lambda images: draws.integers(0, 3, len(images)))\n",
        "two trainings with one seed differ in",
    ),
    "it catches everything": (
        ALL_EPOCHS
        + "        try:\n            report(zeros)\n        except Exception:\n            pass\n",
        "it catches what `report` raises, so no scheduler can stop it",
    ),
    "it wraps what it catches": (
        ALL_EPOCHS
        + "        try:\n            report(zeros)\n"
        + "        except Exception:\n            raise RuntimeError('report failed')\n",
        "where `report` raises, it raises RuntimeError: report failed instead",
    ),
    "it reports once": ("    report(zeros)\n", "it reports once in 3 epochs"),
    "it knows ten classes only": (
        ALL_EPOCHS + "        report(lambda images: np.full(len(images), 9))\n",
        "3 classes in colour: ValueError: predict returned classes from 9 to 9; there are 3",
    ),
    "it knows grey only": (
        "    n, h, w = data.train.images.shape\n" + ALL_EPOCHS + "        report(zeros)\n",
        "3 classes in colour: ValueError: too many values to unpack (expected 3) (broken.py,",
    ),
    "it leaves fewer threads": (
        "    import torch\n    torch.set_num_threads(3)\n"
        "    from threadpoolctl import threadpool_limits\n    threadpool_limits(3)\n"
        + ALL_EPOCHS
        + "        report(zeros)\n",
        None,  # the adapter puts them back
    ),
    "it says grey only": (
        "    if data.train.images.ndim == 4:\n        raise NotImplementedError('grey only')\n"
        + ALL_EPOCHS
        + "        report(zeros)\n",
        None,
    ),
    "it stops by itself": (
        ALL_EPOCHS + "        report(zeros)\n        if _ == 1:\n            return\n",
        None,
    ),
    "it takes no single image": (
        "    alone = lambda images: zeros(images) if len(images) > 1 else 1 / 0\n"
        + ALL_EPOCHS
        + "        report(alone)\n",
        "it does not predict a single image: ZeroDivisionError: division by zero (broken.py, line",
    ),
    "its network is another each time": (
        "    import torch\n    class Net(torch.nn.Module):\n"
        "        def __init__(self):\n            super().__init__()\n"
        "            rows = int(data.train.images.mean())\n"
        "            self.scores = torch.nn.Parameter(torch.zeros(rows, 10))\n"
        "        def forward(self, images):\n"
        "            return self.scores[:1].expand(len(images), 10)\n"
        + ALL_EPOCHS
        + "        report(Net())\n",
        "its saved model cannot be read: InputError: broken:train: its code builds another network",
    ),
    "it saves nothing": (
        ALL_EPOCHS + "        report(zeros)\n",
        "it says that it saves states (resumable), and saves none",
    ),
    "it begins again": (
        ALL_EPOCHS + "        report(zeros, state={})\n",
        "it does not continue from its state: ValueError: broken:train reports epoch 4 of 3",
    ),
    "it forgets": (
        "    seen = 0\n"
        "    for epoch in report.epochs():\n        seen += epoch\n"
        "        report(zeros, parameters=seen, state={})\n",
        "a training that continues from its state differs in parameters from a whole one",
    ),
    "it saves what nobody can read": (
        "    for _ in report.epochs():\n        report(zeros, state={'net': zeros})\n",
        "it does not continue from its state: ValueError: state['net'] is a function",
    ),
}
RESUMABLE = ("it saves nothing", "it begins again", "it forgets", "it saves what nobody can read")


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_broken_function_is_told_what_is_wrong(what: str, tmp_path: Path) -> None:
    body, said = FUNCTIONS[what]
    mark = "@trainer(resumable=True)\n" if what in RESUMABLE else ""
    read_space(write_model(tmp_path, HEAD + mark + DEFINITION + PLAIN + body, "broken"))
    if said is None:
        check_model("broken:train")
        return
    with pytest.raises(BrokenModelError) as broken:
        check_model("broken:train")
    assert "broken:train breaks these rules:\n- " in str(broken.value)
    assert said in str(broken.value)


OBJECT = """
from dataclasses import replace
from tune_mnist.training.models.logistic import MODEL

def fit(config, data, report, options):
    {before}
    def changed(measurement, save):
        {change}
        report(measurement, save)
    return MODEL.train(config, data, changed, options)

train = replace(MODEL, train=fit{abilities})
"""
OBJECTS = {
    "a percentage": ("pass", "measurement['val_accuracy'] *= 100", "", "not a fraction from 0 to"),
    "no times": ("pass", "del measurement['fit_s']", "", "it has no fit_s"),
    "times that do not add up": ("pass", "measurement['fit_s'] += 9", "", "its parts add up to"),
    "a first step of 2": ("pass", "measurement['step'] += 1", "", "its first step is 2, not 1"),
    "an unknown part": ("pass", "measurement['f1'] = 1.0", "", "f1 is not a part of a Measurement"),
    "half of the test": ("pass", "del measurement['recall']", "", "and no recall"),
    "another confusion": ("pass", "measurement['confusion'] = [1]", "", "confusion has 1 counts"),
    "a changed configuration": ("config['C'] = 2.0", "pass", "", "it changes its configuration"),
    "torch's threads": (
        "import torch; torch.set_num_threads(3 if torch.get_num_threads() != 3 else 2)",
        "pass",
        "",
        "it leaves torch's threads changed",
    ),
    "random numbers": (
        "import numpy; numpy.random.rand()",
        "pass",
        "",
        "it leaves a global random generator changed",
    ),
    "a seed that matters": (
        "config = {**config, 'C': 1.0 if options.seed == 0 else 1e-4}",
        "pass",
        ", seeded=False",
        "it says that the seed changes nothing (seeded=False), and another seed does",
    ),
    "a loss that is not there": (
        "pass",
        "del measurement['val_loss']",
        "",
        "it says that it has a loss (has_loss), and reports no train_loss or no val_loss",
    ),
}


@pytest.mark.parametrize("what", OBJECTS)
def test_a_broken_model_object_is_told_what_is_wrong(what: str, tmp_path: Path) -> None:
    before, change, abilities, said = OBJECTS[what]
    text = OBJECT.format(before=before, change=change, abilities=abilities)
    space = write_model(tmp_path, text, "thing")
    space.write_text(space.read_text() + "parameters: {C: 1.0}\n")
    read_space(space)
    with pytest.raises(BrokenModelError) as broken:
        check_model("thing:train")
    assert said in str(broken.value)


@dataclass(frozen=True)
class Config:
    label: Annotated[int, Range(0, 2)] = 0


def guess(config: Config, data: TrainingData, report: Reporter) -> None:
    report(lambda images: np.full(len(images), config.label))


def test_a_function_itself_can_be_checked() -> None:
    check_model(guess, {"label": 2})
