"""Hyperparameter search for image classifiers on Ray Tune."""

__version__ = "0.1.0"
