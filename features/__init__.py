"""Stage 1: texts in, cached vectors out."""
