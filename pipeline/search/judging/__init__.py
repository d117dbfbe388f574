"""What a search says about its own trials: who wins, how far to believe it, what mattered."""
