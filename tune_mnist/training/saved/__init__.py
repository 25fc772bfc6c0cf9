"""Saved models: what is written of a fitted one, how it is read, and what it can be exported as."""
