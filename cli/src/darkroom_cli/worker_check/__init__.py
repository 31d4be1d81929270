"""`darkroom worker check`: the conformance test of the contract between Darkroom and a worker's container."""
