"""The demo: three jobs, from picture to history."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from darkroom_client import Darkroom
from darkroom_client.answers import Job
from local.processes import StackError
from local.seed import CHECKPOINT, TINY

Say = Callable[[str], None]
SETTLE_SECONDS = 60.0
PROMPT = "a lighthouse on a cliff at dusk, long exposure, film grain"


def run(client: Darkroom, folder: Path, say: Say, *, real: bool = False) -> list[Job]:
    """Submit three jobs, wait until they have ended, and save their pictures in `folder`; returns the jobs. With a
    `real` engine it is two smaller ones with the first checkpoint of the shelf, as describing needs files of its own.
    Raises StackError when one fails."""
    init, mask = client.upload(_room()), client.upload(_window())
    pictures = {"init": init, "mask": mask}
    bodies: list[dict[str, Any]] = [
        {
            "type": "txt2img",
            "checkpoint": CHECKPOINT,
            "parameters": {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 7, "steps": 20},
        },
        {
            "type": "img2img",
            "mode": "inpaint",
            "checkpoint": CHECKPOINT,
            "images": pictures,
            "parameters": {"prompt": "a view of the sea", "seed": 7, "denoising_strength": 0.8},
        },
        {"type": "interrogate_clip", "images": {"init": init}},
    ]
    if real:
        bodies = [_for_real(body, _first_checkpoint(client)) for body in bodies[:2]]
    return [_one(client, body, folder, say) for body in bodies]


def _first_checkpoint(client: Darkroom) -> str:
    found = client.request("GET", "/checkpoints?kind=stable-diffusion&limit=100")["checkpoints"]
    names = [row["name"] for row in found if row["status"] == "active" and row["name"] != CHECKPOINT]
    if not names:
        raise StackError(
            "There is no checkpoint on the shelf. Give a folder with one: MODELS=<a WebUI's models folder>."
        )
    return f"{TINY}.safetensors" if f"{TINY}.safetensors" in names else str(names[0])


def _for_real(body: dict[str, Any], checkpoint: str) -> dict[str, Any]:
    """The job with a real checkpoint, and so small that a processor paints it in seconds."""
    return {**body, "checkpoint": checkpoint, "parameters": {**body["parameters"], "width": 256, "height": 256}}


def _one(client: Darkroom, body: dict[str, Any], folder: Path, say: Say) -> Job:
    what = "/".join(part for part in (body["type"], body.get("mode")) if part)
    started = time.monotonic()
    say(f"{what}: submitting")
    job = client.submit(body)
    say(f"{what}: in progress on {job['endpoint']}")
    job = client.settled(job["id"], SETTLE_SECONDS)
    if job["status"] != "succeed":
        why = f"{job['error']['message']} ({job['error']['code']})" if job["error"] else "no reason given"
        raise StackError(f"The {what} job ended as {job['status']}: {why}")
    say(f"{what}: {job['label']}  [{time.monotonic() - started:.1f} s]")
    if job["caption"]:
        say(f"  caption: {job['caption']}")
    for path in client.save_pictures(job, folder, overwrite=True):
        say(f"  picture: {path}")
    return job


def _room() -> bytes:
    """A wall with a lamp: the picture to start from."""
    picture = Image.new("RGB", (512, 512))
    draw = ImageDraw.Draw(picture)
    for y in range(512):
        draw.line([(0, y), (512, y)], fill=(170 - y // 8, 140 - y // 8, 120 - y // 10))
    draw.rectangle((0, 400, 512, 512), fill=(92, 64, 51))
    draw.ellipse((60, 120, 140, 200), fill=(250, 230, 160))
    draw.rectangle((96, 200, 104, 400), fill=(60, 50, 45))
    return _png(picture)


def _window() -> bytes:
    """The mask for inpainting: white is repainted, black stays."""
    mask = Image.new("L", (512, 512), 0)
    ImageDraw.Draw(mask).rectangle((240, 90, 440, 320), fill=255)
    return _png(mask)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
