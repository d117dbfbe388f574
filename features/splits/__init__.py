"""Training, validation and test: which text goes where."""
