"""The results store on real Parquet files: what file names promise, and what a kill leaves."""
