"""Figures: one function a figure, from numbers to `plotly.graph_objects.Figure`.

A notebook uses these on what `load_results` returns; the `..._chart` modules draw the numbers that
`analysis` has made.
"""

from tune_mnist.figures.of_results import (
    best_so_far,
    parallel_coordinates,
    tradeoff,
    training_curves,
)

__all__ = ["best_so_far", "parallel_coordinates", "tradeoff", "training_curves"]
