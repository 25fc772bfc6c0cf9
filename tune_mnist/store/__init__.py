"""The results store: a folder of Parquet, one row a finished trial.

`schema.py` declares the rows, `writer.py` appends them (one `Writer` a search), `reader.py`
reads them back; readers need pyarrow alone and are never blocked.
"""
