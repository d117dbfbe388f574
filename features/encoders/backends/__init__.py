"""What runs an encoder: PyTorch or OpenVINO."""
