"""A finished run in an experiment tracker: MLflow, Weights & Biases, Trackio."""
