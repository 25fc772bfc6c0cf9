"""Support-vector machines: one training function and the engine beneath it."""
