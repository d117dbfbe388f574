"""The same heads in other frameworks."""
