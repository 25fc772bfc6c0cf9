"""Figures: one function for each figure, from numbers to `plotly.graph_objects.Figure`.

In a notebook, call the functions below on what `load_results` returns. The `..._chart` modules draw
the numbers that `analysis` computes.
"""

from tune_mnist.figures.of_results import (
    best_so_far,
    parallel_coordinates,
    tradeoff,
    training_curves,
)

__all__ = ["best_so_far", "parallel_coordinates", "tradeoff", "training_curves"]
