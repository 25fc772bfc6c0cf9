"""Searches that are submitted to a service: kept in the store, queued, run by processes."""
