"""The command line: the only package that knows argparse."""

from pipeline.cli.main import main

__all__ = ["main"]
