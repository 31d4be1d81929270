"""The commands in groups, one a module, each with its `app`."""
