"""The command line: `linearizer --help`."""
