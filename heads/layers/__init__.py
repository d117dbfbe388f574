"""The layers that architectures are built from."""
