"""Watching: what a search tells Prometheus, and how a browser opens Ray's dashboard."""
