"""History: what the store already knows of a search that is about to run."""
