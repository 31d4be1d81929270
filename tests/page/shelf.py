"""Small model files on the shelf of a stage, by the API as anybody would put them there."""

import hashlib

import httpx

from darkroom_client import Darkroom, checkpoints
from darkroom_client.answers import Kind
from tests.support.models import safetensors


def put(client: Darkroom, kind: Kind, name: str, metadata: dict[str, str] | None = None) -> str:
    """The name of a small file that is on the shelf now; one that is there already stays."""
    if checkpoints.find(client, kind, name):
        return name
    content = safetensors(metadata, hashlib.sha256(f"{kind} {name}".encode()).digest())
    client.request("POST", "/checkpoints", json={"kind": kind, "name": name, "size": len(content)})
    part = checkpoints.parts(client, kind, name, {1: hashlib.sha256(content).hexdigest()})["urls"][0]
    httpx.put(part["url"], content=content, headers=part["headers"]).raise_for_status()
    checkpoints.complete(client, kind, name)
    return name
