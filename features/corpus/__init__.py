"""Labelled texts: from a data file to rows."""
