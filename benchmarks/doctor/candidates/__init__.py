"""The candidates: faults that are seeded, each with its healthy twin, and healthy runs."""
