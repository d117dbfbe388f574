"""The search under attack, and against its peers."""
