"""What vectors are: their spec, their table, how they are rounded and compared."""
