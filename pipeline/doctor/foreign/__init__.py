"""Classifiers that a user brings: a PyTorch module or a scikit-learn estimator, examined."""
