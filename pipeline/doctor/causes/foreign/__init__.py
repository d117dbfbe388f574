"""Causes in code that a user brings."""
