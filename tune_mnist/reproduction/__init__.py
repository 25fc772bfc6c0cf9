"""The technical report that this project grew out of, beside our own runs of the same grids."""
