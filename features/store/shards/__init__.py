"""Shards: immutable Parquet files of vectors, and how their bytes are read."""
