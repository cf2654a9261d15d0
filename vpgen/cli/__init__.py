"""`vpgen`: thin; every command calls one function of the package and prints what it returns."""

from vpgen.cli.app import main

__all__ = ["main"]
