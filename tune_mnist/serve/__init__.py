"""Searches as an HTTP service: FastAPI over the actions and the store. It keeps no state."""
