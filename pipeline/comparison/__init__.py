"""Finished runs side by side: which is better on the same texts, and whether by chance."""
