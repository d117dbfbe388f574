"""Results for people: terminal, plots."""
