"""The command line. Heavy imports stand inside the commands, so that `toprock --help` answers at once."""

from toprock.cli.app import main

__all__ = ["main"]
