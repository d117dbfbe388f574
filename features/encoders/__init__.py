"""Frozen pretrained encoders, which turn texts into vectors."""
