"""What a model is, read from its folder without loading it."""
