"""Models of your own: a training function and its parameters become a `Model`."""
