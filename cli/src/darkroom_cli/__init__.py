"""Darkroom on the command line.

`darkroom --help` must be fast. So modules import at the top only what Typer needs to define the commands, and httpx,
Rich's tables, the client and boto3 are imported inside the functions that use them.
"""
