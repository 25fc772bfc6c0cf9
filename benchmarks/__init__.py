"""Benchmarks: one script a claim, run from the repository as `python -m benchmarks.<name>`."""
