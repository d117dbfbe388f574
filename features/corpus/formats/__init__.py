"""File formats: how each is cut into rows."""
