"""Trained heads on disk: checkpoints, and ONNX for other programs."""
