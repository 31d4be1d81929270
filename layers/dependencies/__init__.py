"""The dependency layer: `requirements.txt` pins its packages, `cut` removes what Lambda never reads."""
