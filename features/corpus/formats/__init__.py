"""Readers of the file formats, one module per format."""
