"""The technical report that this project grew out of, beside our own runs of its grids."""
