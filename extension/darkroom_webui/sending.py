"""Handing an order in: its pictures first, inside the body or uploaded, then the job."""

import base64
import time
from dataclasses import dataclass
from typing import Any

import httpx

from darkroom_client import Darkroom, Refused
from darkroom_webui.body import Order
from darkroom_webui.cloud import Cloud, readable
from darkroom_webui.encoding import png

INSIDE_BYTES = 1_000_000
"""Pictures of up to so many bytes in all travel inside the body, which saves two requests for each. A body may have
5 MB, and base64 makes a third more of them."""
PATIENCE = 600.0
"""How long a job that the cloud has no room for is offered again, in seconds."""
OFFLINE_PATIENCE = 60.0
"""How long a job is offered to a cloud that does not answer."""
PAUSE = 5.0


@dataclass(frozen=True)
class Parcel:
    """An order whose pictures are encoded: `files` are PNG by the names that `body` calls `image:<name>`."""

    body: "dict[str, Any]"
    files: "dict[str, bytes]"


def pack(order: Order) -> Parcel:
    """Encode the pictures. The mask gets the size of the picture that it lies on: the WebUI scales both alike."""
    found = order.pictures.found
    start = getattr(found.get("init"), "size", None)
    return Parcel(
        order.body, {name: png(picture, start if name == "mask" else None) for name, picture in found.items()}
    )


def hand_in(cloud: Cloud, parcel: Parcel, key: str) -> "dict[str, Any]":
    """Hand a parcel in, again while the cloud has no room or does not answer; returns the job. `key` makes sure that it
    is one job however often it is sent. Raises CloudError."""
    started = time.monotonic()
    while True:
        try:
            client = cloud.client()
            return dict(client.submit(_with_pictures(client, parcel), idempotency_key=key))
        except (Refused, httpx.TransportError) as error:
            told = readable(error)
            patience = OFFLINE_PATIENCE if isinstance(error, httpx.TransportError) else PATIENCE
            if not told.later or time.monotonic() - started > patience:
                raise told from error
        except Exception as error:
            raise readable(error) from error
        time.sleep(PAUSE)


def _with_pictures(client: Darkroom, parcel: Parcel) -> "dict[str, Any]":
    """The body as it is sent."""
    body, files = parcel.body, parcel.files
    if sum(map(len, files.values())) > INSIDE_BYTES:
        return {**body, "images": {name: client.upload(content) for name, content in files.items()}}
    encoded = {f"image:{name}": base64.b64encode(content).decode() for name, content in files.items()}
    return {**body, "parameters": _filled(body["parameters"], encoded)}


def _filled(value: Any, encoded: "dict[str, str]") -> Any:
    """The value with the pictures in the places of what stood for them."""
    if isinstance(value, str):
        return encoded.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(item, encoded) for key, item in value.items()}
    return [_filled(item, encoded) for item in value] if isinstance(value, list) else value
