"""The part of a head that reads words: logistic regression over their TF-IDF."""
