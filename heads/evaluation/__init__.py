"""Evaluation of predictions: accuracy, F1, tests, calibration."""
