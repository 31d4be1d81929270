"""Darkroom: jobs, images, checkpoints, endpoints and keys behind the WebUI's SageMaker panel."""
