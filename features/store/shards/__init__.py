"""Shards: immutable Parquet files of vectors, and the reading of their bytes."""
