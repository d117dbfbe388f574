"""The text itself: its key in the cache, its language, and missing values."""
