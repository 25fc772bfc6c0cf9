"""The samplers and schedulers that a space file can name: what each does and when to use it.

`searching` has the code behind each name. The sentences here go into docs/spaces.md.
"""

from __future__ import annotations

from typing import Literal

SamplerName = Literal["grid", "random", "qmc", "tpe", "gp", "cmaes", "nsga2"]
SchedulerName = Literal["none", "asha", "hyperband", "median", "pbt"]

SAMPLER_HELP: dict[SamplerName, str] = {
    "grid": "Tries every configuration once. Use it when every domain can be listed and you want "
    "to know all of it.",
    "random": "Draws each parameter independently. Use it as a baseline, or when so many trials "
    "run at once that a sampler has little to learn from.",
    "qmc": "Follows a scrambled Sobol sequence, which covers the space more evenly than random "
    "draws. Use it to explore a space with few trials.",
    "tpe": "Starts with a short Sobol sequence, then models good and bad configurations "
    "separately and proposes what resembles the good ones (Optuna's TPE). The default: it "
    "handles conditions, choices, constraints and several objectives.",
    "gp": "Fits a Gaussian process to the parameters that every configuration has. Use it when "
    "trials are few and expensive: each proposal takes longer than the last.",
    "cmaes": "Adapts a normal distribution over the numbers that every configuration has "
    "(CMA-ES). Use it for many trials, at least two such numbers and one objective.",
    "nsga2": "Breeds each generation of trials from the best of the one before; the first is "
    "random (NSGA-II). Use it for several objectives and many trials.",
}

SCHEDULER_HELP: dict[SchedulerName, str] = {
    "none": "Runs every trial to its end. The default, and the best choice for short trainings.",
    "asha": "Compares each trial at every rung with those that reached it earlier, and stops it "
    "unless it is among the best (a quarter to a half of them). Use it for long trainings whose "
    "first rungs rank configurations well; it takes several objectives.",
    "hyperband": "Works like asha, but lets some trials skip the first rungs. Use it when early "
    "measurements may mislead; it takes several objectives.",
    "median": "Stops a trial whose best measurement so far is worse than the median of the other "
    "trials' averages up to that point. Use it to stop only clear losers, with one objective.",
    "pbt": "After each epoch, lets the worst quarter of the trials take over the weights and "
    "hyperparameters of the best quarter, then changes what may change during a training: "
    "learning_rate, batch_size, momentum, weight_decay, label_smoothing, class_weight and augment, "
    "if they are searched. Use it for long trainings of a ResNet, with one objective.",
}
