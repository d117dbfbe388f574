"""What a page draws, as numbers: charts, the matrix of confusions, the map of texts."""
