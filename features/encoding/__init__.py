"""The encoding job: encode missing texts and commit them as shards."""
