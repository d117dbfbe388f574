"""Corpora to vectors: encode, measure, certify, export."""
