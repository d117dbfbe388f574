"""How a file is written and what its columns are, recognised where nobody says."""
