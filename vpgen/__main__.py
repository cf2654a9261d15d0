"""`python -m vpgen` is `vpgen`."""

from vpgen.cli import main

main()
