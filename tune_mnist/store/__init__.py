"""The results store: a folder of Parquet, one row a finished trial.

`schema.py` declares the rows, `writer.py` appends them (one `Writer` a search), `reader.py`
reads them back; readers need pyarrow alone and are never blocked. Beneath these: `rows.py` types a
trial's values, `layout.py` says what file names mean, `lock.py` keeps one writer a search,
`merge.py` orders a compacted file, `catalog.py` finds files and names those that cannot be read,
`top.py` answers the leaderboard. `proposals.py` keeps what a sampler proposed,
`quarantine.py` takes torn files out of sight.
"""
