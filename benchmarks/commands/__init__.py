"""Whole commands: seconds and memory from start to end."""
