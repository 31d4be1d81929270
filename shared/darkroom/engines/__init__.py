"""What the engines of the worker take, so that a job can be refused before an endpoint wakes for it."""
