"""Causes in the sides: what trains, what validates, what tests."""
