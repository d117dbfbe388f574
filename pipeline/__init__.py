"""The two stages composed: commands, experiments, predictions."""
