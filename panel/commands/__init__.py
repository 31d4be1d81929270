"""The command line's groups, one a module, each with its `app`."""
