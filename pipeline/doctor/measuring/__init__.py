"""Measure a case: one group of numbers per function, cheap ones first."""
