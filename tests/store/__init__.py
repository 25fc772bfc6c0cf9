"""The results store on real Parquet files; the layout's promises, and what a kill leaves."""
