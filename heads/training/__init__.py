"""Training by gradient steps: batches, losses, optimizers, the trainer."""
