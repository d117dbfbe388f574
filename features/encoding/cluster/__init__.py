"""Encoding on a cluster of machines."""
