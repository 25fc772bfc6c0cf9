"""Search: plan the trials of a space, run them on Ray Tune, put each into the store."""
