"""`python -m linearizer`."""

from linearizer.cli import main

main()
