"""Releases over each other, and the way out: minutes of deploys, with a target of their own, `make test-release`."""
