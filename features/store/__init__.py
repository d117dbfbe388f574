"""The cache: vectors in shards, by what made them."""
