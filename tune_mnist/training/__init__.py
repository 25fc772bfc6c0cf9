"""Training: plain functions of a configuration and data. No Ray, no store, no command line."""
