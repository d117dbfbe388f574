"""The machine: what its processor can do, and how many threads run."""
