"""Description of an encoder from its files, without importing torch."""
