"""Darkroom on the command line.

`darkroom --help` shall be quick, so a module imports at its top only what Typer needs to know of the commands;
httpx, Rich's tables, the client and boto3 are imported by the functions that use them.
"""
