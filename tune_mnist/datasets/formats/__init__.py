"""Data sets that are not one file an image: arrays, tables, and data from Python.

Each reader has a module. `find` says which data sets a folder's files make; a set reads itself.
"""
