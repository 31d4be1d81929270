"""The groups of commands: a module for each, with its Typer `app`."""
