"""Stage 2: cached vectors and labels in, trained classifier heads out."""
