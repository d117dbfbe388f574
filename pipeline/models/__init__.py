"""Trained models that predict: runs, blends and exported folders."""
