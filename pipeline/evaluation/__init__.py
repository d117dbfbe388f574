"""Scores: with intervals, by part, over repeats, beside baselines."""
