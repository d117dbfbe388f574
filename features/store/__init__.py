"""The cache: spaces of vectors in immutable shards."""
