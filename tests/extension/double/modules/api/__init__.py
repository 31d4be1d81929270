"""The WebUI's own API, as far as its models."""
