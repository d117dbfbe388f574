"""Heads and the encoder on a GPU: agreement with the CPU, and speed."""
