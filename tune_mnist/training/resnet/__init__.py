"""ResNets: one training function and the engine beneath it."""
