"""A measurement on the way: kept beside the lease until the trial ends; may the trial go on?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune_mnist.actions.asking.asked import Asked, check_client, read_asked
from tune_mnist.actions.asking.held import Held, Lease, change_held, now
from tune_mnist.actions.asking.measured import CLOSE, checked_report, whole_fidelity
from tune_mnist.actions.asking.refused import conflict, unknown
from tune_mnist.errors import input_error
from tune_mnist.models.hyperparameters import shown
from tune_mnist.searching.stopping.median import is_below_median
from tune_mnist.searching.stopping.rungs import rungs_of
from tune_mnist.store.proposals import Proposal, number_of, read_list
from tune_mnist.store.reader import read_reports, read_trials

Curves = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Reported:
    """Whether a trial may go on.

    Args:
        stop: whether it should end now, and be completed with what it has measured.
        why: the scheduler's name, or what ended the search; "" if it may go on.
    """

    stop: bool
    why: str = ""


def report(
    root: Path, search: str, trial: str, client: str, measurement: Mapping[str, Any]
) -> Reported:
    """Keep a measurement of a trial; the same call again answers the same.

    Args:
        root: the store's folder.
        search: its id.
        trial: its id.
        client: who trains it.
        measurement: `step` (1, 2, ..., ascending), and any of `measured.OF_A_REPORT`. With a
            scheduler, `fidelity` (epochs, or fraction of the training images) and the objectives.

    Raises: UnknownError: there is no such trial. ConflictError: another client has it, it has
        ended, or another measurement of this step was reported. InputError: a value that cannot
        be used.
    """
    check_client(client)
    asked = read_asked(root, search)
    values = checked_report(asked.space, measurement)

    def reported(held: Held) -> Held:
        lease = held.leases.get(trial) or _open(asked, trial, client)
        check_holder(asked, trial, lease, client)
        if not _is_known(lease, values, trial):
            timed = {"wall_time_s": (now() - lease.since).total_seconds(), **values}
            lease = lease.model_copy(update={"reports": (*lease.reports, timed)})
            why = lease.stop or _why_stop(asked, held, trial, lease)
            lease = lease.model_copy(update={"stop": why})
        lease = lease.model_copy(update={"called": now()})
        return held.model_copy(update={"leases": {**held.leases, trial: lease}})

    why = change_held(root, search, reported).leases[trial].stop or asked.ended or ""
    return Reported(bool(why), why)


def proposal_of(asked: Asked, trial: str) -> Proposal:
    """Return what was proposed under a trial's id. Raises: UnknownError: nothing was."""
    listed = read_list(asked.root, asked.name).proposals
    found = next((one for one in listed if f"{one.number:05d}" == trial), None)
    if found is None:
        problem = f"{shown(trial)} is no trial of {asked.name!r}"
        raise unknown("`trial`", problem, "use the id that was suggested")
    return found


def check_holder(asked: Asked, trial: str, lease: Lease, client: str) -> None:
    """Raise ConflictError if a trial is another client's now."""
    if lease.client != client:
        limit = asked.space.search.trial_timeout_s
        lost = f", because its first client had not called for {limit:g} s" if limit else ""
        problem = f"trial {trial} was suggested to another client{lost}"
        raise conflict("`trial`", problem, "drop it, and ask for another one")


def _open(asked: Asked, trial: str, client: str) -> Lease:
    """Return a new lease of a trial that nobody has, for a client that has begun with it."""
    proposal = proposal_of(asked, trial)
    columns = ["trial", "status"]
    rows = read_trials(asked.root, search=asked.name, columns=columns, equal={"trial": trial})
    if rows.num_rows:
        problem = f"trial {trial} is {rows['status'][0].as_py()} already"
        raise conflict("`trial`", problem, "ask for another one")
    return Lease(client=client, config=proposal.config, since=now(), called=now())


def _is_known(lease: Lease, values: Mapping[str, Any], trial: str) -> bool:
    """Return whether a measurement was reported before.

    Raises: ConflictError: another one of its step was. InputError: a later step was.
    """
    step, last = values["step"], lease.reports[-1]["step"] if lease.reports else 0
    for one in lease.reports:
        if one["step"] == step:
            if {**one, **values} == one:
                return True
            problem = f"another measurement of step {step} of trial {trial} was reported"
            raise conflict("`measurement`", problem, f"go on with step {last + 1}")
    if step < last:
        problem, fix = f"{step} comes after {last}", f"go on with step {last + 1}"
        raise input_error("`measurement`", problem, fix, "step")
    return False


def _why_stop(asked: Asked, held: Held, trial: str, lease: Lease) -> str:
    """Return why a trial should end now; "" if it may go on."""
    name, space = asked.space.search.scheduler, asked.space
    if name == "none":
        return ""
    own = list(lease.reports)
    if own[-1]["fidelity"] >= whole_fidelity(space, lease.config) - CLOSE:
        return ""  # nothing is left to stop
    others = _curves(asked, {**held.leases, trial: lease})
    others.pop(trial, None)
    if name == "median":
        return name if is_below_median(space, own, others.values()) else ""
    rungs = rungs_of(space)
    for other, curve in others.items():
        for measured in curve:
            rungs.goes_on(other, int(other), measured)
    return "" if [rungs.goes_on(trial, int(trial), one) for one in own][-1] else name


def _curves(asked: Asked, leases: Mapping[str, Lease]) -> Curves:
    """Return the measurements of every trial that can be compared, ended or not."""
    names = ["fidelity", *(one.metric for one in asked.space.objectives)]
    found: Curves = defaultdict(list)
    ended = read_reports(asked.root, search=asked.name).to_pylist()
    pending = ({"trial": name, **one} for name, held in leases.items() for one in held.reports)
    for one in _each_trial_once(ended, pending):
        is_ours = number_of(one["trial"]) is not None
        if is_ours and all(one.get(name) is not None for name in names):
            found[one["trial"]].append(one)
    return found


def _each_trial_once(
    ended: Iterable[dict[str, Any]], pending: Iterable[dict[str, Any]]
) -> Iterable[dict[str, Any]]:
    """Yield the measurements; of a trial whose row is in the store, only those beside the row."""
    done = set()
    for one in ended:
        done.add(one["trial"])
        yield one
    yield from (one for one in pending if one["trial"] not in done)
