"""Hyperparameter search for image classifiers on Ray Tune."""
