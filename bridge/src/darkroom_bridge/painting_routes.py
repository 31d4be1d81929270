"""The WebUI's calls that make jobs, and those about them."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom_bridge import answers, bodies, infotexts, progress
from darkroom_bridge.calls import Order
from darkroom_bridge.problems import Problem
from darkroom_bridge.requests import body_of, for_key, made, missing, pictures_of
from darkroom_bridge.sessions import Session, address_of, task_of
from darkroom_client.answers import JobType

MOST_PICTURES = 100
"""Pictures of one extra-batch-images call: each is a job."""


async def txt2img(request: Request, session: Session) -> Response:
    """Paint pictures from a text."""
    return await _painted(request, session, "txt2img")


async def img2img(request: Request, session: Session) -> Response:
    """Paint pictures over a picture."""
    return await _painted(request, session, "img2img")


async def _painted(request: Request, session: Session, call: JobType) -> Response:
    order, fields = await _painting(request, session, call)
    [job] = await made(request, session, order)
    pictures = await pictures_of(session, job) if fields.get("send_images") is not False else []
    return JSONResponse(await session.run(answers.painted, call, fields, job, pictures))


async def _painting(request: Request, session: Session, call: JobType) -> tuple[Order, dict[str, Any]]:
    """The order, and what the answer repeats of the body: its pictures only when it asks for them. They would fill the
    memory while the job is waited for."""
    fields = await body_of(request)
    if call == "img2img" and not fields.get("init_images"):
        raise Problem(404, "Init image not found")
    order = await session.run(
        bodies.painting, call, fields, session.options, session.checkpoint, session.darkroom, address_of(request)
    )
    if not fields.get("include_init_images"):
        fields = {name: value for name, value in fields.items() if name not in ("init_images", "mask")}
    return order, fields


async def extra_single_image(request: Request, session: Session) -> Response:
    """Enlarge a picture."""
    [job] = await made(request, session, await _upscaling(request, session, "image"))
    pictures = await pictures_of(session, job)
    image = answers.encoded(pictures[0]) if pictures else ""
    return JSONResponse({"html_info": answers.upscaled(job), "image": image})


async def extra_batch_images(request: Request, session: Session) -> Response:
    """Enlarge several pictures, each by a job of its own."""
    jobs = await made(request, session, await _upscaling(request, session, "imageList"))
    pictures = [answers.encoded(picture) for job in jobs for picture in await pictures_of(session, job)]
    return JSONResponse({"html_info": "", "images": pictures})


async def _upscaling(request: Request, session: Session, name: str) -> Order:
    """The order for the pictures in the field of that name."""
    fields = await body_of(request)
    said = fields.get(name)
    listed = said if isinstance(said, list) else [{"data": said}]
    images = [entry.get("data") if isinstance(entry, dict) else None for entry in listed]
    texts = [image for image in images if isinstance(image, str) and image]
    if not texts or len(texts) != len(images):
        raise missing(name)
    if len(texts) > MOST_PICTURES:
        raise Problem(422, f"A call takes at most {MOST_PICTURES} pictures; send them in several.")
    arguments = (session.options, session.darkroom, address_of(request))
    order: Order = await session.run(bodies.upscaling, fields, texts, *arguments)
    return order


async def interrogate(request: Request, session: Session) -> Response:
    """Describe a picture."""
    arguments = (session.options, session.darkroom, address_of(request))
    [job] = await made(request, session, await session.run(bodies.describing, await body_of(request), *arguments))
    return JSONResponse({"caption": job["caption"] or ""})


async def png_info(request: Request, session: Session) -> Response:
    """Read the infotext in a picture."""
    fields = await body_of(request)
    image = fields.get("image")
    if not isinstance(image, str):
        raise missing("image")
    if not image.strip():
        return JSONResponse({"info": "", "items": {}, "parameters": {}})
    content = bodies.decoded(image)
    if content is None:
        raise Problem(500, "Invalid encoded image")
    text, items = await session.run(infotexts.read, content)
    return JSONResponse({"info": text, "items": items, "parameters": infotexts.parameters(text)})


async def progress_now(request: Request, session: Session) -> Response:
    """How far the caller's newest open call is."""
    call = session.calls.newest(address_of(request), task_of(request))
    job = await progress.latest(session, call) if call else None
    return JSONResponse(progress.told(call, job, time.time()))


async def internal_progress(request: Request, session: Session) -> Response:
    """How far the call with that `force_task_id` is, as the WebUI's page asks."""
    fields = await body_of(request)
    task = fields.get("id_task")
    call = session.calls.newest(address_of(request), task) if isinstance(task, str) and task else None
    job = await progress.latest(session, call) if call else None
    told = progress.told(call, job, time.time())
    running = bool(job and job["started_at"])
    answer: dict[str, Any] = {
        "active": running,
        "queued": call is not None and not running,
        "completed": call is None,
        "progress": told["progress"] if running else None,
        "eta": told["eta_relative"] or None,
        "live_preview": None,
        "id_live_preview": -1,
        "textinfo": told["textinfo"],
    }
    return JSONResponse(answer)


async def pending_tasks(request: Request, session: Session) -> Response:
    """The `force_task_id` of each open call that a client at the caller's address waits for."""
    own = [call for call in session.calls.open if call.alive and call.order.address == address_of(request)]
    return JSONResponse({"size": len(own), "tasks": [call.order.task for call in own if call.order.task]})


async def interrupt(request: Request, session: Session) -> Response:
    """Cancel the caller's newest open call; its answer has no pictures."""
    call = session.calls.newest(address_of(request), task_of(request, await body_of(request)))
    if call:
        await session.calls.stop(call)
    return JSONResponse({})


async def skip(request: Request, session: Session) -> Response:
    """The same for a call of one batch. The cloud cannot leave out one batch of several."""
    call = session.calls.newest(address_of(request), task_of(request, await body_of(request)))
    if call and call.order.batches > 1:
        raise Problem(501, "A job in the cloud cannot skip one of its batches; interrupt ends all of them.", "skip")
    if call:
        await session.calls.stop(call)
    return JSONResponse(None)


def routes() -> list[Route]:
    """The routes of this module."""
    posts = {
        "/sdapi/v1/txt2img": txt2img,
        "/sdapi/v1/img2img": img2img,
        "/sdapi/v1/extra-single-image": extra_single_image,
        "/sdapi/v1/extra-batch-images": extra_batch_images,
        "/sdapi/v1/interrogate": interrogate,
        "/sdapi/v1/png-info": png_info,
        "/sdapi/v1/interrupt": interrupt,
        "/sdapi/v1/skip": skip,
        "/internal/progress": internal_progress,
    }
    gets = {"/sdapi/v1/progress": progress_now, "/internal/pending-tasks": pending_tasks}
    return [
        *(Route(path, for_key(handler), methods=["POST"]) for path, handler in posts.items()),
        *(Route(path, for_key(handler), methods=["GET"]) for path, handler in gets.items()),
    ]
