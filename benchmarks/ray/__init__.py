"""What encoding on a Ray cluster must keep: vectors, time, memory, and all when killed."""
