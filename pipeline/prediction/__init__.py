"""Labels for new texts: a predictor that loads once, and what it says of each text."""
