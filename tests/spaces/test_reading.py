"""Each fault of a space file is one line: file, dotted key, bad value, fix."""

from __future__ import annotations

import pytest

from tests.spaces.conftest import RESNET, SVM, Read, Refuse
from tune_mnist.spaces import Fidelity, Resources, Space
from tune_mnist.winner import winner

KERNELS = "  kernel: {choice: [rbf, poly]}\n"
CONSTANT = SVM + "  C: 1.0\n"
NO_PARAMETERS = "model: svm\ndataset: digits\n"


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ("  gama: {choice: [scale]}", "gama: not a parameter of svm; did you mean gamma?"),
        ("  C: {chioce: [1.0]}", "C.chioce: not a domain; did you mean choice?"),
        ("  C: {choice: [1.0], wehn: {}}", "C.wehn: not a key of parameters.C; did you mean when?"),
        ("  C: {choice: [1.0], uniform: [1, 2]}", "C: has both choice and uniform; keep one"),
        ("  C: {when: {kernel: rbf}}\n" + KERNELS, "C: has no domain; add one of choice, uniform"),
        ("  C: [1.0, 2.0]", "C: [1.0, 2.0] is not a domain; for example {choice: [0.1, 1.0]}"),
        ("  C:", "C: nothing is not a domain; "),
        ("  C: {choice: []}", "C.choice: is empty; give at least one value"),
        ("  C: {choice: [1, 1.0]}", "C.choice: 1.0 is given twice; keep one of them"),
        ("  C: {choice: 3}", "C.choice: 3 is not a list of values; for example [0.1, 1.0]"),
        ("  C: {choice: [[1]]}", "C.choice: [[1]] is not a list of values; "),
        ("  C: {uniform: [2, 1]}", "C.uniform: low is 2.0, must be below high, 1.0; for example "),
        ("  degree: {int_uniform: [2, 2]}", "degree.int_uniform: low is 2, must be below high, 2;"),
        ("  C: {log_uniform: [0.0, 100.0]}", "C.log_uniform: low is 0.0, must be > 0; for example"),
        ("  degree: {int_log_uniform: [-1, 9]}", "degree.int_log_uniform: low is -1, must be > 0"),
        ("  C: {uniform: [1]}", "C.uniform: [1] is not a list of two numbers, [low, high]; "),
        ("  C: {uniform: [nan, 1]}", "C.uniform: ['nan', 1] is not a list of two numbers"),
        ("  degree: {int_uniform: [1, 2.5]}", "degree.int_uniform: [1, 2.5] is not a list of two"),
        ("  C: -1", "C: C cannot be -1.0; give a number above 0"),
        ("  C: '1'", "C: C cannot be '1'; give a number above 0"),
        ("  C: true", "C: C cannot be true; give a number above 0"),
        ("  C: {uniform: [0, 1]}", "C.uniform: C cannot be 0.0; give a number above 0"),
        ("  degree: 2.5", "degree: degree cannot be 2.5; give a whole number from 1 up"),
        ("  kernel: {choice: [rbf, pol]}", "kernel.choice: kernel cannot be 'pol'; did you mean p"),
        ("  kernel: {uniform: [1, 2]}", "kernel.uniform: kernel takes no uniform; use choice"),
        ("  degree: {uniform: [1, 2]}", "degree.uniform: degree takes no uniform; use choice or i"),
        ("  gamma: {choice: [0]}", "gamma.choice: gamma cannot be 0.0; give scale"),
    ],
)
def test_a_faulty_parameter_is_refused_in_one_line(
    refuse: Refuse, parameters: str, line: str
) -> None:
    [refused] = refuse(SVM + parameters)
    assert refused.startswith(f"mine.yaml: parameters.{line}")


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (
            KERNELS + "  degree: {choice: [2, 3], when: {kernle: poly}}",
            "degree.when.kernle: not a parameter of this space; did you mean kernel?",
        ),
        (
            "  degree: {choice: [2, 3], when: {kernel: poly}}",
            "degree.when.kernel: not a parameter of this space; add kernel to parameters",
        ),
        (
            KERNELS + "  degree: {choice: [2, 3], when: {kernel: linear}}",
            "degree.when.kernel: kernel is never 'linear'; it can be rbf, poly",
        ),
        (
            KERNELS + "  degree: {choice: [2, 3], when: {kernel: [poly, pol]}}",
            "degree.when.kernel: kernel cannot be 'pol'; did you mean poly?",
        ),
        (
            "  C: {uniform: [1, 2]}\n  gamma: {choice: [scale, 0.1], when: {C: 1.5}}",
            "gamma.when.C: C is continuous, so it is never exactly 1.5; give C a choice",
        ),
        (
            "  C: {choice: [1, 2], when: {gamma: 0.1}}\n"
            "  gamma: {choice: [0.1, 0.2], when: {C: 1}}",
            "C.when: conditions form a cycle: C decides gamma decides C; drop one",
        ),
        (
            "  C: {choice: [1, 2], when: {C: 1}}",
            "C.when: conditions form a cycle: C decides C; drop one of them",
        ),
        (KERNELS + "  C: {choice: [1, 2], when: {kernel: []}}", "C.when.kernel: is empty; "),
        (KERNELS + "  C: {choice: [1, 2], when: kernel}", "C.when: 'kernel' is not a mapping "),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(
    refuse: Refuse, parameters: str, line: str
) -> None:
    [refused] = refuse(SVM + parameters)
    assert refused.startswith(f"mine.yaml: parameters.{line}")


def test_a_cycle_through_the_models_own_conditions_is_refused(refuse: Refuse) -> None:
    """degree matters only for kernel poly, so kernel cannot depend on degree."""
    [line] = refuse(SVM + "  kernel: {choice: [rbf, poly], when: {degree: 2}}\n  degree: 2")
    assert "cycle" in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("serach: {}", "serach: not a key of a space; did you mean search?"),
        ("search: {tirals: 1}", "search.tirals: not a key of search; did you mean trials?"),
        ("search: {sampler: tpee}", "search.sampler: 'tpee' is not a sampler; did you mean tpe?"),
        ("search: {scheduler: asah}", "search.scheduler: 'asah' is not a scheduler; did you mean"),
        ("search: {trials: -3}", "search.trials: -3 is not a whole number of at least 1; "),
        ("search: {trials: true}", "search.trials: true is not a whole number of at least 1; "),
        ("search: {time_budget_s: 0}", "search.time_budget_s: 0 is not a number of seconds above"),
        ("search: {target: 98}", "search.target: 98 is not a fraction above 0, at most 1; for exa"),
        ("search: {seed: -1}", "search.seed: -1 is not a whole number from 0 to 2^32 - 1; "),
        ("search: {max_concurrent: 0}", "search.max_concurrent: 0 is not a whole number of at le"),
        ("search:", "search: nothing is not a mapping; for example {sampler: "),
        ("resources: {cpu: 0}", "resources.cpu: 0 is not a number of cores above 0; for example 1"),
        ("resources: {gpu: -1}", "resources.gpu: -1 is not a number of GPUs above 0; "),
        ("resources: {gpu: 0}", "resources.gpu: 0 is not a number of GPUs above 0; "),
        ("resources: []", "resources: is empty; add {cpu: 1}"),
        ("resources: [{cpu: 1}, {cpu: 0}]", "resources[1].cpu: 0 is not a number of cores above 0"),
        (
            "resources: [{cpu: 1}, {cpu: 2, when: {kernel: rbf}}]",
            "resources[0]: has no `when`, so no trial gets resources[1]; move it to the end",
        ),
        (
            "resources: {cpu: 2, when: {kernl: rbf}}",
            "resources.when.kernl: not a parameter of svm; did you mean kernel?",
        ),
        (
            "resources: [{cpu: 2, when: {kernel: round}}, {cpu: 1}]",
            "resources[0].when.kernel: kernel cannot be 'round'; give linear, rbf, poly or sigmoid",
        ),
        ("resources: {gpu: 1.5}", "resources.gpu: 1.5 is a fraction above 1; write 1 or 2"),
        ("objective: {metric: accuracy}", "objective.metric: 'accuracy' is not a metric; did you"),
        ("objective: {metric: test_accuracy}", "objective.metric: test_accuracy never steers a se"),
        ("objective: {mode: min}", "objective: mode min would look for the worst val_accuracy; wr"),
        ("objective: {metric: val_loss}", "objective.metric: an SVM has no val_loss; use val_acc"),
        ("objective: []", "objective: is empty; add {metric: val_accuracy}"),
        ("objective: [{metric: val_loss}]", "objective.metric: an SVM has no val_loss; use val_a"),
        (
            "objective: [{metric: val_accuracy}, {metric: wal_time}]",
            "objective[1].metric: 'wal_time' is not a metric; did you mean wall_time_s?",
        ),
        (
            "objective: [{metric: fit_s}, {metric: fit_s}]",
            "objective[1].metric: fit_s is given twice; keep one of them",
        ),
        (
            "objective: [{metric: parameters, mode: max}]",
            "objective[0]: mode max would look for the worst parameters; write mode: min",
        ),
        ("constraints: wall_time_s <= 60", "constraints: 'wall_time_s <= 60' is not a list of co"),
        ("constraints: [wal_time_s <= 60]", "constraints[0]: 'wal_time_s' is not a metric here; "),
        ("constraints: [test_accuracy > 0]", "constraints[0]: test_accuracy never chooses: the w"),
        ("constraints: [val_loss < 1]", "constraints[0]: an SVM has no val_loss; use val_accu"),
        ("constraints: [3]", "constraints[0]: '3' is no constraint; write a metric, one of <= < "),
        (
            "objective: {metric: fit_s}\nsearch: {target: 0.9}",
            "search.target: a target needs a validation metric, and the first objective is fit_s; ",
        ),
        ("fidelity: {parameter: epochs}", "fidelity.parameter: an SVM has no epochs; use train_f"),
        ("fidelity: {parameter: epoch}", "fidelity.parameter: 'epoch' is not a fidelity; did you"),
        ("fidelity: epochs", "fidelity: 'epochs' is not a mapping; for example {parameter: "),
        ("fidelity: {parameter: train_fraction, rungs: []}", "fidelity.rungs: is empty; for exa"),
        (
            "fidelity: {parameter: train_fraction, rungs: [0, 1]}",
            "fidelity.rungs: 0 is not a fraction above 0, at most 1; for example ",
        ),
        (
            "fidelity: {parameter: train_fraction, rungs: [0.5, 0.1, 1]}",
            "fidelity.rungs: [0.5, 0.1, 1.0] does not ascend; for example ",
        ),
        (
            "fidelity: {parameter: train_fraction, rungs: [0.1, 0.5]}",
            "fidelity.rungs: ends at 0.5, but a whole trial has fraction 1.0; for example ",
        ),
        ("fidelity: {rungs: [1.0]}", "fidelity.rungs: epochs are measured one by one; leave out "),
        ("points: []", "points: [] is not a list of configurations; for example - {kernel: rbf"),
    ],
)
def test_a_faulty_setting_is_refused_in_one_line(refuse: Refuse, text: str, line: str) -> None:
    [refused] = refuse(CONSTANT + text)
    assert refused.startswith(f"mine.yaml: {line}")


RATE = RESNET + "  learning_rate: {choice: [0.1, 0.01]}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            CONSTANT + "search: {scheduler: asha}",
            "asha stops trials between measurements, and an SVM",
        ),
        (
            CONSTANT + "search: {scheduler: pbt, trials: 8}",
            "pbt changes trainings while they run, an",
        ),
        (
            RESNET + "  epochs: 1\nsearch: {scheduler: asha}",
            "asha has nothing to stop, because no trial",
        ),
        (
            CONSTANT + "search: {scheduler: median}\n"
            "fidelity: {parameter: train_fraction, rungs: [1.0]}",
            "the only rung of median is the whole trial; add a rung below 1.0",
        ),
        (
            RATE + "search: {scheduler: pbt}",
            "pbt needs a population of at least 4 trials; set `trials=8`",
        ),
        (
            RATE + "search: {scheduler: pbt, trials: 3}",
            "pbt needs a population of at least 4 trials; set `trials=8`",
        ),
        (
            RESNET + "  optimizer: {choice: [sgd, adam]}\nsearch: {scheduler: pbt, trials: 8}",
            "pbt can change batch_size, learning_rate, momentum, weight_decay, label_smoothing, "
            "class_weight and augment; none of them is searched, or a `when` names it",
        ),
        (
            RATE + "search: {scheduler: pbt, trials: 8}\nfidelity: {parameter: train_fraction}",
            "pbt works on epochs, not on train_fraction; use `fidelity=epochs`",
        ),
        (
            RATE + "search: {scheduler: pbt, trials: 8}\n"
            "objective: [{metric: val_accuracy}, {metric: fit_s}]",
            "pbt compares trials by one objective, and there are several; use asha",
        ),
        (
            RATE + "  epochs: 4\nsearch: {scheduler: asha}\n"
            "objective: [{metric: latency_batch_1_s}, {metric: latency_batch_256_s}]",
            "asha compares unfinished trials, and these have no latency_batch_1_s yet; use ",
        ),
    ],
)
def test_a_scheduler_that_cannot_work_is_refused_with_the_reason(
    refuse: Refuse, text: str, line: str
) -> None:
    [refused] = refuse(text)
    assert refused.startswith(f"mine.yaml: search.scheduler: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("objective: [{metric: val_accuracy}, {metric: fit_s}]", "several objectives"),
        ("constraints: [fit_s < 9]", "constraints"),
    ],
)
def test_cmaes_is_refused_with_goals_that_it_cannot_learn_from(
    refuse: Refuse, text: str, line: str
) -> None:
    numbers = "  C: {uniform: [1, 2]}\n  gamma: {uniform: [1, 2]}\n"
    [refused] = refuse(SVM + numbers + "search: {sampler: cmaes}\n" + text)
    assert f"search.sampler: cmaes cannot learn from {line}; use tpe" in refused


def test_every_fault_is_named_at_once(refuse: Refuse) -> None:
    lines = refuse(
        "model: svm\nparameters: {C: -1, gama: 1, kernel: {choice: []}}\n"
        "points: [{degree: 0}]\nserach: 1\nsearch: {trials: 0, seed: a}\nresources: {cpu: 0}"
    )
    assert [line.split(": ")[1] for line in lines] == [
        "dataset",
        "serach",
        "parameters.C",
        "parameters.gama",
        "parameters.kernel.choice",
        "points[0].degree",
        "search.trials",
        "search.seed",
        "resources.cpu",
    ]


def test_an_unknown_model_hides_no_other_fault(refuse: Refuse) -> None:
    lines = refuse("model: svn\ndataset: digits\nparameters: {C: {log_uniform: [0, 1]}}")
    assert lines[0].startswith("mine.yaml: model: 'svn' is not a model; did you mean svm?")
    assert lines[1].startswith("mine.yaml: parameters.C.log_uniform: low is 0.0")


def test_a_space_of_nothing_is_refused(refuse: Refuse) -> None:
    assert refuse(NO_PARAMETERS)[0].startswith("mine.yaml: parameters: the space has no param")


def test_grid_on_an_infinite_space_is_refused_naming_the_parameter(refuse: Refuse) -> None:
    [line] = refuse(SVM + "  C: {uniform: [1, 2]}\nsearch: {sampler: grid}")
    assert line.startswith("mine.yaml: search.sampler: grid cannot list every value of C; use ran")


def test_a_loss_is_minimised_by_default(read: Read) -> None:
    space = read(RESNET + "  epochs: 2\nobjective: {metric: val_loss}")
    assert space.objective.mode == "min"


def test_several_objectives_keep_their_order_and_the_first_leads(read: Read) -> None:
    space = read(CONSTANT + "objective: [{metric: val_accuracy}, {metric: wall_time_s}]")
    assert [(one.metric, one.mode) for one in space.objectives] == [
        ("val_accuracy", "max"),
        ("wall_time_s", "min"),
    ]
    assert space.objective == space.objectives[0]


def test_epochs_are_a_fidelity_by_default_and_fractions_if_declared(read: Read) -> None:
    assert read(CONSTANT).fidelity is None
    assert read(RESNET + "  epochs: 2").fidelity == Fidelity(parameter="epochs")
    fraction = read(CONSTANT + "fidelity: {parameter: train_fraction}").fidelity
    assert fraction is not None
    assert fraction.rungs == (1 / 9, 1 / 3, 1.0)


def test_a_winner_satisfies_every_constraint(read: Read) -> None:
    goal = read(CONSTANT + 'constraints: ["wall_time_s <= 60", "parameters < 5e6"]').goal
    row = {"status": "completed", "val_accuracy": 0.9, "wall_time_s": 60.0, "parameters": 3}
    assert winner([row], goal) == row
    assert winner([{**row, "parameters": 5_000_000}], goal) is None
    assert winner([{**row, "parameters": None}], goal) is None


def test_a_stored_space_of_one_objective_is_still_read(read: Read) -> None:
    space = read(CONSTANT)
    stored = space.model_dump(mode="json", exclude={"objectives", "constraints", "fidelity"})
    assert Space.model_validate({**stored, "objective": {"metric": "val_accuracy"}}) == space


@pytest.mark.parametrize(("stored", "gpu"), [(0.0, 1.0), (0.25, 0.25)])
def test_a_stored_space_of_one_bundle_is_still_read(read: Read, stored: float, gpu: float) -> None:
    """Then 0 GPUs meant a whole one for a trial on a GPU."""
    space = read(CONSTANT)
    dumped = space.model_dump(mode="json") | {"resources": {"cpu": 2.0, "gpu": stored}}
    assert Space.model_validate(dumped).resources == (Resources(cpu=2.0, gpu=gpu),)


def test_a_files_own_name_is_its_stem(read: Read) -> None:
    assert read(CONSTANT).name == "mine"


def test_a_space_survives_json(read: Read) -> None:
    space = read(
        RESNET + "  epochs: {int_log_uniform: [1, 9]}\n  optimizer: {choice: [sgd, adam]}\n"
        "  learning_rate: {log_uniform: [1e-4, 1e-2], when: {optimizer: sgd}}\n"
        "objective: [{metric: val_loss}, {metric: parameters}]\n"
        "constraints: [wall_time_s <= 60]\n"
        "fidelity: {parameter: train_fraction, rungs: [0.25, 1]}\n"
    )
    assert Space.model_validate(space.model_dump(mode="json")) == space
