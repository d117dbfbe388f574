"""The doctor of finished runs: the case of a run, the command, the cure, the line of train."""
