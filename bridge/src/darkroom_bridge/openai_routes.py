"""OpenAI's API of pictures on the same process: generations, edits, and the checkpoints as models."""

import re
import time
from datetime import datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom_bridge import answers, bodies, masks, shelf
from darkroom_bridge.problems import Problem
from darkroom_bridge.requests import body_of, for_key, made, pictures_of
from darkroom_bridge.sessions import Session, address_of
from darkroom_client.answers import Checkpoint, JobType

MOST = 10
"""Pictures of one request (OpenAI's API reference)."""
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
_FORMATS = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_PASSED = ("negative_prompt", "steps", "cfg_scale", "seed", "sampler_name", "scheduler", "denoising_strength")
"""Fields of the WebUI that a request may have besides OpenAI's."""


async def generations(request: Request, session: Session) -> Response:
    """Paint pictures from a text."""
    fields = await body_of(request)
    body = await _body(session, fields)
    return await _answered(request, session, "txt2img", body, fields)


async def edits(request: Request, session: Session) -> Response:
    """Paint a picture anew, or the part of it that is transparent in the mask."""
    async with request.form(max_files=18) as form:
        fields: dict[str, Any] = {key: value for key, value in form.multi_items() if isinstance(value, str)}
        files = [(key, value) for key, value in form.multi_items() if isinstance(value, UploadFile)]
        images = [await file.read() for key, file in files if key in ("image", "image[]")]
        drawn = [await file.read() for key, file in files if key == "mask"]
    if not images:
        raise _wrong("image", "is missing")
    if len(images) > 1:
        raise _wrong("image", "has several pictures; Darkroom edits one at a time")
    body = await _body(session, {**fields, **{name: _number(name, fields[name]) for name in _NUMBERS & fields.keys()}})
    body |= await session.run(masks.editing, images[0], drawn[0] if drawn else None)
    if (size := _size(fields)) is not None:
        body |= size
    return await _answered(request, session, "img2img", body, fields)


async def models(request: Request, session: Session) -> Response:
    """The checkpoints on the shelf."""
    rows = await session.run(session.shelf.of, "stable-diffusion")
    return JSONResponse({"object": "list", "data": [_model(row) for row in rows]})


async def model(request: Request, session: Session) -> Response:
    """One checkpoint."""
    return JSONResponse(_model(await _found(session, request.path_params["model"])))


async def _body(session: Session, fields: dict[str, Any]) -> dict[str, Any]:
    """The WebUI's body for a request of OpenAI's. Raises Problem for what Darkroom cannot do."""
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise _wrong("prompt", "is missing")
    if fields.get("stream") in (True, "true"):
        raise _wrong("stream", "is not possible here")
    count = fields.get("n") or 1
    if not isinstance(count, int) or not 1 <= count <= MOST:
        raise _wrong("n", f"is a number from 1 to {MOST}")
    settings: dict[str, Any] = {}
    if named := fields.get("model"):
        settings["sd_model_checkpoint"] = shelf.title(await _found(session, str(named)))
    form = fields.get("output_format") or "png"
    if form not in _FORMATS:
        raise _wrong("output_format", f"is one of {', '.join(_FORMATS)}")
    settings["samples_format"] = _FORMATS[form]
    if (quality := fields.get("output_compression")) is not None:
        settings["jpeg_quality"] = quality
    passed = {name: fields[name] for name in _PASSED if fields.get(name) is not None}
    return {"prompt": prompt, "n_iter": count, "override_settings": settings, **passed, **(_size(fields) or {})}


def _size(fields: dict[str, Any]) -> dict[str, int] | None:
    size = fields.get("size")
    if size in (None, "", "auto"):
        return None
    found = _SIZE.fullmatch(str(size))
    if not found:
        raise _wrong("size", "is width and height, as in 1024x1024, or auto")
    return {"width": int(found[1]), "height": int(found[2])}


async def _answered(
    request: Request, session: Session, call: JobType, body: dict[str, Any], fields: dict[str, Any]
) -> Response:
    wants = fields.get("response_format") or "b64_json"
    if wants not in ("b64_json", "url"):
        raise _wrong("response_format", "is b64_json or url")
    order = await session.run(
        bodies.painting, call, body, session.options, session.checkpoint, session.darkroom, address_of(request)
    )
    [job] = await made(request, session, order)
    if wants == "url":
        data = [{"url": picture["url"]} for picture in job["images"]]
    else:
        data = [{"b64_json": answers.encoded(picture)} for picture in await pictures_of(session, job)]
    told: dict[str, Any] = {"created": int(time.time()), "data": data, "output_format": fields.get("output_format")}
    if job["images"]:
        told["size"] = f"{job['images'][0]['width']}x{job['images'][0]['height']}"
    return JSONResponse({name: value for name, value in told.items() if value is not None})


async def _found(session: Session, name: str) -> Checkpoint:
    row: Checkpoint | None = await session.run(session.shelf.find, "stable-diffusion", name)
    if row is None:
        why = f"The shelf has no checkpoint {name!r}. GET /v1/models lists those that it has."
        raise Problem(404, why, "model_not_found")
    return row


def _model(row: Checkpoint) -> dict[str, Any]:
    created = datetime.fromisoformat(row["created_at"].replace("Z", "+00:00")).timestamp() if row["created_at"] else 0
    return {"id": row["name"], "object": "model", "created": int(created), "owned_by": row["owner"] or "darkroom"}


_NUMBERS = frozenset({"n", "steps", "cfg_scale", "seed", "denoising_strength", "output_compression"})


def _number(name: str, text: str) -> int | float:
    """A number in a form, where all fields are text."""
    try:
        return float(text) if name in ("cfg_scale", "denoising_strength") else int(text)
    except ValueError:
        raise _wrong(name, "is a number") from None


def _wrong(name: str, why: str) -> Problem:
    return Problem(400, f"{name} {why}.", "invalid_value", fields=({"loc": ["body", name], "msg": why},))


def routes() -> list[Route]:
    """The routes of this module."""
    return [
        Route("/v1/images/generations", for_key(generations), methods=["POST"]),
        Route("/v1/images/edits", for_key(edits), methods=["POST"]),
        Route("/v1/models", for_key(models), methods=["GET"]),
        Route("/v1/models/{model:path}", for_key(model), methods=["GET"]),
    ]
