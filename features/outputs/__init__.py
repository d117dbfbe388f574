"""Files for people and other tools: outputs that appear whole, and exported vectors."""
