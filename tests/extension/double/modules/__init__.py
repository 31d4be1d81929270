"""What extensions import from a WebUI."""
