"""A campaign against the promises: accidental faults, kills, full disks and bad inputs."""
