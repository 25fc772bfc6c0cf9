"""Planning: what a search runs on, how it is cut into trials, and how long it will take."""
