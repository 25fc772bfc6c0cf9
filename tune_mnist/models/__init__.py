"""What every room may know of the models that can be searched: their names and hyperparameters."""
