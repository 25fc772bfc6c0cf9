"""The results store: a folder of Parquet files, one row per finished trial.

`schema.py` declares the rows, `writer.py` appends them (one `Writer` per search) and `reader.py`
reads them. Readers need only pyarrow and are never blocked. `plans.py` holds the record of a
search, `proposals.py` what its sampler proposed, `selection.py` which trials a page is about.

Below these, `rows.py` gives a trial's values their types, `rules.py` says which rows and files are
accepted, `layout.py` what file names mean, `lock.py` allows one writer per search, `merge.py`
orders the rows of a merged file, `catalog.py` finds files and reports those that cannot be read,
`quarantine.py` moves torn files away, and `top.py` finds the best trials.
"""
