"""What a study keeps on disk: its description, its journal, its winner; and reading them again."""
