"""The models that can be searched: each module declares one, under its own name, as `MODEL`."""
