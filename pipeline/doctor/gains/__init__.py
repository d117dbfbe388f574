"""What would help most: more texts, words, other vectors, cleaned labels, at what price."""
