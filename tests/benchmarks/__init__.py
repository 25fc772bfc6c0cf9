"""The benchmarks' own arithmetic: wrong figures would be published."""
