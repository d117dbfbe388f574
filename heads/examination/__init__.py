"""Examine classifiers that were written elsewhere: PyTorch modules, scikit-learn estimators."""
