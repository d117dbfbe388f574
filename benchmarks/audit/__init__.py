"""The audit: what it finds of planted faults, and its time as a corpus grows."""
