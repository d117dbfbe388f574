"""The encoding job: from missing texts to committed shards."""
