"""What the dependency layer holds: `requirements.txt` locks it, `cut` takes out what never runs."""
