"""What a study keeps on disk: its description, journal and winner; and reading them."""
