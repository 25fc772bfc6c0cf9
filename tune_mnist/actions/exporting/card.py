"""The model card of an exported model: `README.md` as Hugging Face reads it, and its picture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from tune_mnist.actions.exporting.checking import Check
from tune_mnist.actions.exporting.picture import confusion_png
from tune_mnist.datasets import Dataset
from tune_mnist.metrics import LATENCY_WORDS, accuracy_interval
from tune_mnist.models.registry import find_model
from tune_mnist.searching.observer import Row
from tune_mnist.store.plans import SearchRecord
from tune_mnist.training.saved.exported import Form, SavedModel
from tune_mnist.wording import clean, config_text, duration, kind_text, milliseconds, percent

CARD, PICTURE = "README.md", "confusion.png"
MOST_IN_TABLE = 20  # classes
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$-])")
_LIBRARIES = {"model.skops": "sklearn", "model.safetensors": "torchvision"}


@dataclass(frozen=True)
class Chosen:
    """A trial and the search that it was chosen from.

    Args:
        row: of the trial.
        record: of the search.
        trials: all rows of the search.
        data: what it ran on.
        check: of the exported model.
    """

    row: Row
    record: SearchRecord
    trials: Sequence[Row]
    data: Dataset
    check: Check

    @property
    def completed(self) -> int:
        """The number of trials that completed."""
        return sum(row["status"] == "completed" for row in self.trials)


def write_card(folder: Path, model: SavedModel, form: Form, chosen: Chosen) -> None:
    """Write `README.md` and its picture into the folder of an exported model.

    Args:
        folder: of the exported model.
        model: the saved model.
        form: what it was exported as.
        chosen: its trial, and what it was chosen from.
    """
    row, data = chosen.row, chosen.data
    (folder / PICTURE).write_bytes(confusion_png(row["confusion"], data.classes))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, whose own characters `md` escapes
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = escaped
    facts = model.facts
    seeded = find_model(row["model"]).seeded
    text = environment.get_template("card.md").render(
        front=yaml.safe_dump(_front(form, chosen), allow_unicode=True, sort_keys=False),
        title=_title(chosen),
        summary=f"{config_text(row['config'], exact=True)}, trained on {data.name}; chosen from"
        f" {_chosen_from(chosen)} of the search {chosen.record.search}.",
        picture=PICTURE,
        file=form.file,
        sees=f"{facts.width}x{facts.height} pixels, {'grey' if facts.channels == 1 else 'RGB'}",
        scores=_scores(chosen),
        chosen_from=_chosen_from(chosen),
        recalls=_recalls(row, data),
        confusion_classes=data.classes,
        confusion=_confusion(row, data),
        facts=_facts(chosen, model),
        check=chosen.check,
        classes=f"{len(facts.classes):,}",
        seed=row["seed"] if seeded else None,
    )
    (folder / CARD).write_text(text, "utf-8")


def escaped(text: object) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return _MARKUP.sub(r"\\\1", " ".join(clean(str(text)).split()))


def _title(chosen: Chosen) -> str:
    return f"{kind_text(chosen.row['model'], chosen.row['config'])} on {chosen.data.name}"


def _chosen_from(chosen: Chosen) -> str:
    count = len({row["trial"] for row in chosen.trials})
    return f"{count:,} trials ({chosen.completed:,} completed)"


def _front(form: Form, chosen: Chosen) -> dict[str, Any]:
    """Return the card's front matter: what Hugging Face reads."""
    row, data = chosen.row, chosen.data
    measured = [
        {"type": "accuracy", "name": f"{name} accuracy", "value": row[column]}
        for name, column in (("validation", "val_accuracy"), ("test", "test_accuracy"))
        if row[column] is not None
    ]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {
            "type": clean(data.name),
            "name": clean(data.name),
            "split": "test",
            "revision": data.content_hash,
        },
        "metrics": measured,
    }
    return {
        "pipeline_tag": "image-classification",
        "library_name": _LIBRARIES.get(form.file, form.file.rpartition(".")[2]),
        "tags": ["image-classification", "tune_mnist", row["model"]],
        "datasets": [clean(data.name)],
        "metrics": ["accuracy"],
        "model-index": [{"name": clean(_title(chosen)), "results": [result]}],
        "hyperparameters": json.loads(row["config"]),
    }


def _scores(chosen: Chosen) -> list[tuple[str, str, str, str]]:
    parts = (
        ("validation", "val_accuracy", chosen.data.val),
        ("test", "test_accuracy", chosen.data.test),
    )
    lines = []
    for name, column, part in parts:
        accuracy = chosen.row[column]
        if accuracy is not None and len(part):
            low, high = accuracy_interval(accuracy, len(part))
            interval = f"{percent(low)} to {percent(high)}"
            lines.append((name, f"{len(part):,}", percent(accuracy), interval))
    return lines


def _recalls(row: Row, data: Dataset) -> list[tuple[str, str]]:
    recalls = row["recall"] or []
    return [
        (name, "no images" if recall is None else percent(recall))
        for name, recall in zip(data.classes, recalls, strict=False)
    ]


def _confusion(row: Row, data: Dataset) -> list[tuple[str, list[int]]]:
    """Return the rows of the confusion matrix; none if it has too many classes for a table."""
    counts, k = row["confusion"] or [], len(data.classes)
    if k > MOST_IN_TABLE or len(counts) != k * k:
        return []
    return [(name, counts[i * k : (i + 1) * k]) for i, name in enumerate(data.classes)]


def _facts(chosen: Chosen, model: SavedModel) -> list[tuple[str, object]]:
    row, data, record = chosen.row, chosen.data, chosen.record
    hyperparameters = json.loads(row["config"]).items()
    versions = json.loads(row["versions"] or "{}").items()
    confirms = record.confirms
    return [
        ("model", row["model"]),
        *((name, value) for name, value in hyperparameters),
        ("data set", data.name),
        ("data, its hash", data.content_hash),
        ("split", data.split),
        ("training images", f"{len(data.train):,}"),
        ("classes", ", ".join(data.classes[:100])),
        ("numbers in the model", _known(row["parameters"], "{:,}".format)),
        ("number format of its training", model.facts.precision),
        ("chosen by", ", ".join(record.goal.objectives)),
        *(("and", str(limit)) for limit in record.goal.constraints),
        *([("confirms the search", confirms.search)] if confirms else []),
        ("search", f"{record.search}, trial {row['trial']}"),
        ("seed", row["seed"]),
        ("wall time of the training", _known(row["wall_time_s"], duration)),
        *(
            (f"time to predict an image, {said}", milliseconds(row[name]))
            for name, said in LATENCY_WORDS.items()
            if row[name] is not None
        ),
        ("trained on", row["device"]),
        ("cores", _known(row["cpus"], "{:g}".format)),
        ("GPUs", _known(row["gpus"], "{:g}".format)),
        ("engine", row["engine"]),
        ("tune_mnist, its commit", row["git_commit"]),
        ("code, its hash", row["code_hash"]),
        ("trained with", ", ".join(f"{name} {version}" for name, version in versions)),
    ]


def _known(value: Any, write: Callable[[Any], str]) -> str:
    return "unknown" if value is None else write(value)
