"""What others would have said of the same runs."""
