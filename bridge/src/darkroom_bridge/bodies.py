"""From the body of a WebUI call to the job that it makes."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from darkroom_bridge.calls import Order
from darkroom_bridge.options import CHECKPOINT, Options
from darkroom_bridge.problems import Problem
from darkroom_client import Darkroom
from darkroom_client.answers import JobType

MAX_INLINE = 3 * 1024**2
"""Characters of a body up to which its pictures go along inside: Darkroom takes 5 MB."""
_LEAST = 64 * 1024
"""Characters of base64 from which a picture is worth an upload of its own."""
_TASK: Final = "force_task_id"
_TEXTS = frozenset({"prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt", "styles", "infotext"})
_FORMATS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF")
INTERROGATORS: Mapping[str, JobType] = {
    "clip": "interrogate_clip",
    "deepdanbooru": "interrogate_deepbooru",
    "deepbooru": "interrogate_deepbooru",
}
"""The types of jobs by the WebUI's names for what describes a picture."""


def painting(
    call: JobType,
    fields: dict[str, Any],
    options: Options,
    checkpoint: Callable[[], str | None],
    darkroom: Darkroom,
    address: str,
) -> Order:
    """The order of a txt2img or img2img call; `checkpoint` tells that of a body which names none. It may block."""
    sent = {name: value for name, value in fields.items() if name != _TASK}
    said = sent.get("override_settings")
    said = said if isinstance(said, dict) else {}
    sent["override_settings"] = {**options.for_pictures(), **said}
    body: dict[str, Any] = {"type": call, "parameters": sent}
    # What the settings of the body or its infotext name comes before the checkpoint that was chosen for all.
    if not said.get(CHECKPOINT) and "Model hash:" not in str(sent.get("infotext") or ""):
        body["checkpoint"] = checkpoint()
    if body.get("checkpoint", "") is None:
        raise Problem(422, "There is no checkpoint on the shelf. Upload one: darkroom checkpoints upload FILE")
    batches = sent.get("n_iter") if isinstance(sent.get("n_iter"), int) else 1
    steps = sent.get("steps") if isinstance(sent.get("steps"), int) else 50
    task = fields.get(_TASK)
    return Order(
        call,
        [_prepared(darkroom, body)],
        _digest([body]),
        address,
        task if isinstance(task, str) and task else None,
        steps or 50,
        batches or 1,
    )


def upscaling(fields: dict[str, Any], pictures: list[str], options: Options, darkroom: Darkroom, address: str) -> Order:
    """The order of an extras call: a job for each of its pictures, in base64."""
    common = {name: value for name, value in fields.items() if name not in ("image", "imageList", _TASK)}
    common["override_settings"] = options.for_pictures()
    bodies = [{"type": "extras", "parameters": {**common, "image": picture}} for picture in pictures]
    return Order("extras", [_prepared(darkroom, body) for body in bodies], _digest(bodies), address)


def describing(fields: dict[str, Any], options: Options, darkroom: Darkroom, address: str) -> Order:
    """The order of an interrogate call. Raises Problem 404 for another model than clip and deepdanbooru."""
    job_type = INTERROGATORS.get(str(fields.get("model") or "clip"))
    if job_type is None:
        raise Problem(404, "Model not found")
    if not fields.get("image"):
        raise Problem(404, "Image not found")
    parameters = {"image": fields["image"], "override_settings": options.for_descriptions()}
    body = {"type": job_type, "parameters": parameters}
    return Order(job_type, [_prepared(darkroom, body)], _digest([body]), address)


def _digest(bodies: list[dict[str, Any]]) -> str:
    """The same for equal bodies, however their fields are ordered."""
    return hashlib.sha256(json.dumps(bodies, sort_keys=True).encode()).hexdigest()


def _prepared(darkroom: Darkroom, body: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """The body of `POST /jobs`, made when it is sent: it uploads the pictures of a body that is too large."""
    return lambda: with_uploads(body, darkroom.upload)


def with_uploads(body: dict[str, Any], upload: Callable[[bytes], str]) -> dict[str, Any]:
    """The body as it is when it is small enough; otherwise with its large pictures uploaded and named in `images`."""
    if characters(body) <= MAX_INLINE:
        return body
    images: dict[str, str] = {}

    def visit(value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            return {key: visit(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item, (*path, number)) for number, item in enumerate(value)]
        if not isinstance(value, str) or len(value) < _LEAST or path[0] in _TEXTS:
            return value
        content = decoded(value)
        if content is None or not content.startswith(_FORMATS):
            return value
        name = _name(path, images)
        images[name] = upload(content)
        return f"image:{name}"

    return {**body, "parameters": visit(body["parameters"], ()), "images": images}


def characters(value: Any) -> int:
    """About how long a body is as JSON, without making it."""
    if isinstance(value, dict):
        return sum(characters(item) for item in value.values())
    if isinstance(value, list):
        return sum(map(characters, value))
    return len(value) if isinstance(value, str) else 8


def decoded(text: str) -> bytes | None:
    """The bytes in base64 or in a data URI, None for another text."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return None


def _name(path: tuple[str | int, ...], taken: Mapping[str, str]) -> str:
    """What Darkroom calls a picture that stands there: `init`, `mask`, or any other name."""
    wanted = {"init_images": "init", "image": "init", "mask": "mask"}.get(str(path[0]), "picture")
    return next(name for name in (wanted, *(f"{wanted}_{n}" for n in range(2, 999))) if name not in taken)
