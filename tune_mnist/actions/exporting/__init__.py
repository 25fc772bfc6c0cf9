"""A search's winner as a folder that works without us: its model, a model card, and a check."""
