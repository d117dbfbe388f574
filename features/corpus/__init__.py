"""Reading labelled texts from data files and data sets."""
