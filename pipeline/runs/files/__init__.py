"""The files of a run folder, one format per module."""
