"""One model made of several finished runs."""
