"""Causes in the vectors."""
