"""Short trials that choose a layer or a learning rate."""
