"""Cost by the number of texts: seconds and memory of the commands as the work grows."""
