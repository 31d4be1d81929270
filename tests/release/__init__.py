"""Releases over each other, and the way out: minutes of deploys, so they have a target of their own, `make test-release`."""
