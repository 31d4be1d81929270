"""What Darkroom fetches from the public web, and from nowhere else."""
