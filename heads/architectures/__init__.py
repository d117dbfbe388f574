"""The heads: one architecture per module."""
