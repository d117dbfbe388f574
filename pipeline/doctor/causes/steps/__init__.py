"""Causes in the steps of a training: their size, their number, their order."""
