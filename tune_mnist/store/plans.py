"""`SearchRecord`: what the store keeps of a search, `searches/<id>.json`, declared once.

A record that an earlier version wrote is upgraded when it is read, and what a later version added
is kept when the record is written again. The file ends with a checksum of all its keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json

from tune_mnist.errors import Fault, InputError, input_error, warn_left_out
from tune_mnist.metrics import ACCURACY, BETTER, MEASURED, Goal, check_metric, parse_constraint
from tune_mnist.models.external import is_external
from tune_mnist.store.catalog import has_search, list_searches, not_in_store
from tune_mnist.store.layout import record_file
from tune_mnist.store.proposals import sealed, unsealed

TestSet = Literal["standard", "holdout"]
_FIX = "restore it from a copy"
_EDITED = "restore it from a copy; or, if you changed it yourself, remove its key checksum"
_MOST_BYTES = 2**28  # a record that tells of 10,000 past trials has about 2**22
_MOST_FAULTS = 5  # of one file


def _check_moment(text: str) -> str:
    """Return an ISO 8601 moment with its zone, or "", unchanged; raise ValueError for others."""
    if text:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not 1970 <= moment.year <= 2261:
            raise ValueError("a moment from 1970 to 2261 with its time zone is needed")
    return text


Moment = Annotated[str, AfterValidator(_check_moment)]


class Part(BaseModel):
    """A part of the record: frozen, and keeps the keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class Granted(Part):
    """What the search may use of the machine."""

    cpus: int = Field(default=1, description="cores for the whole search")
    gpus: int = Field(default=0, description="GPUs for the whole search")
    bundles: tuple[dict[str, float], ...] = Field(
        default=(), description="each kind of bundle that a trial may get: cpu and gpu"
    )
    concurrency: int = Field(default=1, description="trials side by side at most")


class Run(Part):
    """One run of the search: the first, or one that resumed it."""

    at: Moment = Field(default="", description="when it began, ISO 8601 in UTC")
    host: str = Field(default="", description="the machine's name")
    versions: dict[str, str] = Field(default={}, description="versions of Python and libraries")
    git_commit: str = Field(default="", description="commit of tune_mnist, with + if modified")
    code_hash: str = Field(default="", description="hash of the code that can change a result")


class Observation(Part):
    """A finished trial of another search that the sampler learned from."""

    params: dict[str, Any] = Field(default={}, description="parameter to value")
    values: tuple[float, ...] = Field(default=(), description="one value an objective")
    constraints: dict[str, float] = Field(
        default={}, description="constraint to how far it was missed; 0 or less: it held"
    )


class WarmStarted(Part):
    """What the search learned from others before its first proposal."""

    observations: tuple[Observation, ...] = Field(
        default=(), description="past trials that the sampler received"
    )
    first: tuple[dict[str, Any], ...] = Field(default=(), description="configurations tried first")
    notes: tuple[str, ...] = Field(default=(), description="what was taken, what was left out")


class Expected(Part):
    """How long the search was expected to take, from the trials in the store."""

    seconds: float = Field(description="median")
    low: float = Field(description="seconds: one in ten such searches takes less")
    high: float = Field(description="seconds: one in ten such searches takes more")
    trials: int = Field(description="trials to train")
    timed: int = Field(description="how many of them the store had timed before")
    past: int = Field(description="finished trials that it is based on")


class Ended(Part):
    """How the search ended."""

    reason: str = Field(description="done, time budget, target, plateau or lost")
    at: Moment = Field(description="when, ISO 8601 in UTC")


class Confirms(Part):
    """Which search a confirmation confirms, and with what."""

    search: str = Field(description="the confirmed search")
    top: int = Field(description="how many configurations were asked for")
    trials: tuple[str, ...] = Field(description="the trials that run again, best first")
    configs: tuple[dict[str, Any], ...] = Field(description="their configurations")
    seeds: tuple[int, ...] = Field(description="fresh seeds, in the order in which they run")


class Sought(Part):
    """What we read of a recorded space's section `search`; another version may have more."""

    sampler: str | None = None
    scheduler: str = "none"
    retries: int = 0


class Several(Part):
    """The models of a space that names several."""

    choice: tuple[str, ...]


class Searched(Part):
    """What we read of a recorded space; another version may have more."""

    name: str = ""
    model: str | Several = ""
    search: Sought = Sought()


class SearchRecord(Part):
    """All that the store knows of a search, beside its trials and their measurements."""

    search: str = Field(default="", description="the search's id")
    request: dict[str, Any] = Field(
        default={}, description="what was asked for, without what was left at its default"
    )
    space: dict[str, Any] = Field(default={}, description="the search space, with the overrides")
    device: Literal["cpu", "gpu"] = Field(
        default="cpu", description="where trials run that name no device"
    )
    resources: Granted = Field(default=Granted(), description="cores, GPUs, bundles, concurrency")
    configurations: int | None = Field(
        default=None, description="distinct configurations in the space; null: infinite"
    )
    trials: int | None = Field(default=None, description="trials at most; null: no limit")
    engine: tuple[str, str] | None = Field(
        default=None, description="the implementation that trains an SVM, and why it was chosen"
    )
    first_trials: int | None = Field(
        default=None,
        description="trials at most of the first run; a sampler sets itself up for them",
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="what was collapsed, capped, ignored or left out of the data, a line each",
    )
    dataset: str = Field(default="", description="name of the data set")
    dataset_path: str = Field(
        default="",
        description="its folder, absolute (what was typed stands in space.dataset); "
        "empty: known by its name",
    )
    data_hash: str = Field(default="", description="SHA-256 of images, labels and split")
    split: str = Field(default="", description="which images train, validate and test")
    test_set: TestSet = Field(default="standard", description="standard or holdout")
    seed: int = Field(default=0, description="seed of the sampler and of every trial")
    host: str = Field(default="", description="the machine of the first run")
    versions: dict[str, str] = Field(default={}, description="versions of Python and libraries")
    git_commit: str = Field(default="", description="commit of tune_mnist, with + if modified")
    code_hash: str = Field(default="", description="hash of the code that can change a result")
    model_files: dict[str, str] = Field(
        default={}, description="each model of your own, and the file that had its code"
    )
    started: Moment = Field(default="", description="when the first run began, ISO 8601 in UTC")
    first: tuple[dict[str, Any], ...] = Field(
        default=(), description="configurations that the sampler proposed before its own"
    )
    warm_start: WarmStarted | None = Field(
        default=None, description="what it learned from other searches; null: nothing"
    )
    forecast: Expected | None = Field(
        default=None, description="how long it was expected to take; null: unknown"
    )
    resumed: tuple[Run, ...] = Field(default=(), description="later runs, oldest first")
    ended: Ended | None = Field(default=None, description="how it ended; null: it has not")
    confirms: Confirms | None = Field(
        default=None, description="of a confirmation: what it confirms; null: it is none"
    )

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the search trains; none where the record has no space."""
        named = Searched.model_validate(self.space).model
        if isinstance(named, Several):
            return named.choice
        return (named,) if named else ()

    @property
    def trained_elsewhere(self) -> bool:
        """Whether its trials are trained by clients of a service, and not by us."""
        return any(map(is_external, self.models))

    def proposed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration of a trial as the sampler proposed it.

        A row has a column for the model, so its configuration does not name it; a proposal of a
        search over several models does.
        """
        config: dict[str, Any] = json.loads(row["config"])
        return {"model": row["model"], **config} if len(self.models) > 1 else config

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, given: Any) -> Any:
        """Fill in what earlier versions wrote in another way."""
        if not isinstance(given, Mapping):
            return given
        record = dict(given)
        space = record.get("space")
        if isinstance(space, Mapping) and "objective" in space:  # there could be one only
            record["space"] = {k: v for k, v in space.items() if k != "objective"}
            record["space"].setdefault("objectives", [space["objective"]])
        if "split" in record and "test_set" not in record:
            own = str(record["split"]).endswith("test standard")
            record["test_set"] = "standard" if own else "holdout"
        if "first_trials" not in record:
            asked, searched = record.get("request"), record.get("space")
            of_space = searched.get("search") if isinstance(searched, Mapping) else None
            for said in (asked, of_space):
                if isinstance(said, Mapping) and said.get("trials") is not None:
                    record["first_trials"] = said["trials"]
                    break
        return record

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Any]) -> dict[str, Any]:
        Searched.model_validate(space)
        return space

    @property
    def scheduler(self) -> str:
        """The scheduler's name; "none" where the record has no space."""
        return Searched.model_validate(self.space).search.scheduler

    @property
    def goal(self) -> Goal:
        """What its winner is best in, and must satisfy.

        Raises: InputError: its objectives or constraints cannot be read.
        """
        try:
            metrics = tuple(one["metric"] for one in self.space.get("objectives", ()))
            for metric in metrics:
                check_metric("objectives", metric, tuple(BETTER))
            limits = tuple(
                parse_constraint(text, MEASURED, "constraints")
                for text in self.space.get("constraints", ())
            )
        except (TypeError, KeyError, AttributeError):
            problem = "its objectives or constraints cannot be read"
            raise input_error(self.search, problem, _FIX) from None
        return Goal(metrics or ACCURACY.objectives, limits)

    @property
    def retries(self) -> int:
        """How often a failed trial is tried again."""
        return Searched.model_validate(self.space).search.retries

    def to_json(self) -> str:
        """Return the file's content."""
        return json.dumps(sealed(json.loads(self.model_dump_json())), indent=2) + "\n"


def read_search(root: Path, search: str) -> SearchRecord:
    """Return the record of a search, upgraded if an earlier version wrote it.

    Raises: InputError: no store, no such search, or a file that holds no record: a fault for each
        key whose value cannot be used.
    """
    if not has_search(root, search):
        known = list_searches(root)
        if search not in known:
            raise not_in_store("`search`", search, known)
    return _read(root, search)


def _read(root: Path, search: str) -> SearchRecord:
    file = record_file(root, search)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise input_error(file, f"is larger than {_MOST_BYTES / 2**20:g} MiB", _FIX)
        content = from_json(file.read_bytes(), allow_inf_nan=False)
    except ValueError as error:
        raise input_error(file, f"is not JSON: {error}", _FIX) from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise input_error(file, problem, "make it readable, or restore it") from error
    if not isinstance(content, dict):
        raise input_error(file, "is not a JSON object", _FIX)
    try:
        content = unsealed(content)
    except (ValueError, RecursionError) as error:
        raise input_error(file, f"is damaged: it {error}", _EDITED) from error
    try:
        record = SearchRecord.model_validate({**content, "search": content.get("search") or search})
    except ValidationError as error:
        faults = error.errors()[:_MOST_FAULTS]
        raise InputError(_fault(file, details) for details in faults) from None
    if record.search != search:
        raise input_error(file, f"is the record of another search, {record.search!r}", _FIX)
    return record


def read_searches(root: Path) -> dict[str, SearchRecord]:
    """Return the record of every search by its id; one that cannot be read is named and left out.

    Raises: InputError: no store.
    """
    records: dict[str, SearchRecord] = {}
    for search in list_searches(root):
        try:
            records[search] = _read(root, search)
        except InputError as error:
            warn_left_out(error)
    return records


def _fault(file: Path, details: ErrorDetails) -> Fault:
    key = ".".join(map(str, details["loc"]))
    return Fault(str(file), key, f"{str(details['input'])[:80]!r}: {details['msg']}", _FIX)
