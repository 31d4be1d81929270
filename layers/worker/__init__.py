"""The worker's package: a folder that a container of AWS starts the worker from, without Docker (docs/worker.md)."""
