"""How good predictions are, and how sure."""
