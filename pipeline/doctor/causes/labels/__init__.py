"""Causes in texts and labels."""
