"""Back ends that run an encoder: PyTorch or OpenVINO."""
