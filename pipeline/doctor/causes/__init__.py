"""The causes, one per file, in folders by what is at fault."""
