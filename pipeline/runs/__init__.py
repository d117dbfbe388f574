"""Run folders: what a finished training leaves on disk."""
