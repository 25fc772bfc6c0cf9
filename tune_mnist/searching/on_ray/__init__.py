"""On Ray: all the Ray there is. The run, its ending, its recorder, its schedulers."""
