"""Hyperparameters that several models have."""

from __future__ import annotations

from tune_mnist.models.hyperparameters import Hyperparameter

DEVICE = Hyperparameter(
    "where the trial runs; if left out, the search decides", (str,), None, ("cpu", "gpu")
)

TRAIN_FRACTION = Hyperparameter(
    "fraction of the training images to train on, the first of each class; if left out, all",
    (float,),
    None,
    high=1,
)

COLOUR = Hyperparameter(
    "grey: take the images' colour away (ITU-R 601 luma); if left out, keep",
    (str,),
    None,
    ("keep", "grey"),
)

CLASS_WEIGHT = Hyperparameter(
    "balanced: an error in a smaller class costs more, as in scikit-learn; if left out, none",
    (str,),
    None,
    ("none", "balanced"),
)

IMAGE_SIZE = Hyperparameter(
    "pixels per side of the images; if left out, as stored, or 64 if they are larger",
    (int,),
    None,
    low=8,
    high=224,
)

SEEN_AND_WEIGHTED = {
    "class_weight": CLASS_WEIGHT,
    "image_size": IMAGE_SIZE,
    "colour": COLOUR,
    "train_fraction": TRAIN_FRACTION,
}
"""Of a model of flat rows of pixels."""
