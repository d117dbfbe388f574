"""The frozen models that turn texts into vectors."""
