"""`python -m linearizer`."""

from linearizer.cli.main import main

main()
