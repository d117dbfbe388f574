"""Causes in the shape of a head: room, regularisation, loss, activations, state."""
