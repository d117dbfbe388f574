"""Looking after a cache: list, verify, compact, collect."""
