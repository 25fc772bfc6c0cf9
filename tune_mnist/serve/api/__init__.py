"""The resources of the service: one router a module."""
