"""The running stack of the end-to-end tests, for the commands of the docs that deploy into it."""

from tests.e2e.conftest import darkroom, home

__all__ = ["darkroom", "home"]
