"""A bridge before a Darkroom of the test's own: jobs end when the test says so. The stories of tests/e2e/test_bridge_*
run the same against the real one."""

import base64
import hashlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from darkroom_client import Darkroom
from darkroom_client.answers import Job
from tests.support.bridges import bridged
from tests.support.waiting import eventually

URL = "http://127.0.0.1:9/v1"
SHELF = (
    (
        "stable-diffusion",
        "v1-5.safetensors",
        "SD15",
        "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
    ),
    ("stable-diffusion", "xl.safetensors", None, None),
    ("vae", "vae-ft.safetensors", "", None),
    ("lora", "film.safetensors", "styles", None),
    ("hypernetwork", "soft.pt", None, None),
    ("embedding", "easy.safetensors", None, None),
    ("upscaler", "RealESRGAN_x4plus.pth", None, None),
    ("controlnet", "canny.safetensors", None, "ab" * 32),
)


def png(colour: str = "navy", size: tuple[int, int] = (64, 64)) -> bytes:
    """A PNG."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def base64_png(colour: str = "navy", size: tuple[int, int] = (64, 64)) -> str:
    """The same in base64."""
    return base64.b64encode(png(colour, size)).decode()


@dataclass
class FakeDarkroom:
    """Darkroom's API as far as the bridge calls it. `owners` maps keys to owners. With `held`, jobs stay open until the
    test ends them; `refusal` is what every new job is answered with, as status and problem; `broken` loses the answers
    to new jobs."""

    owners: dict[str, str] = field(default_factory=lambda: {"a-key": "anna", "b-key": "ben"})
    held: bool = False
    broken: bool = False
    refusal: tuple[int, dict[str, Any]] | None = None
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    by_key: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def client(self, key: str) -> Darkroom:
        """A client whose requests come here."""
        return Darkroom(URL, key, transport=httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        with self.lock:
            return self._handled(request)

    def _handled(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        self.requests.append(f"{request.method} {path}")
        if path.startswith("/pictures/"):
            return httpx.Response(200, content=PICTURE)
        if path == "/uploads":
            content = request.read()
            body = content[content.index(b"\x89PNG") : content.rindex(b"\r\n--")]
            self.uploads[hashlib.sha256(body).hexdigest()] = body
            return httpx.Response(204)
        owner = self.owners.get(request.headers["authorization"].removeprefix("Bearer "))
        if owner is None:
            return problem(401, "unauthenticated", "The key is not known.")
        match request.method, path.strip("/").split("/"):
            case "GET", ["checkpoints"]:
                return httpx.Response(200, json={"checkpoints": [row(*each) for each in SHELF], "next": None})
            case "POST", ["images"]:
                said = json.loads(request.read())
                return httpx.Response(
                    200, json={"id": said["sha256"], "upload": {"url": f"{URL}/uploads", "fields": {}, "expires_in": 9}}
                )
            case "POST", ["jobs"]:
                return self._made(request, owner)
            case "GET", ["jobs"]:
                found = [job for job in self.jobs.values() if job["owner"] == owner and job["completed_at"] is None]
                return httpx.Response(200, json={"jobs": found[::-1][:100], "next": None})
            case "GET", ["jobs", job_id]:
                if job_id not in self.jobs:
                    return problem(404, "job_not_found", "There is no such job.")
                return httpx.Response(200, json=self.jobs[job_id])
            case "POST", ["jobs", job_id, "cancel"]:
                self.end(job_id, status="cancelled", images=[], infotexts=[], cancelled="before")
                return httpx.Response(200, json=self.jobs[job_id])
        return problem(404, "route_not_found", "There is no such route.")

    def _made(self, request: httpx.Request, owner: str) -> httpx.Response:
        if self.refusal:
            return httpx.Response(self.refusal[0], json=self.refusal[1], headers={"Retry-After": "0"})
        key = request.headers["idempotency-key"]
        if key not in self.by_key:
            body = json.loads(request.read())
            job = job_of(f"01900000-0000-7000-8000-{len(self.jobs) + 1:012d}", body, owner)
            self.bodies.append(body)
            self.jobs[job["id"]] = job
            self.by_key[key] = job["id"]
            if not self.held:
                self.end(job["id"])
        if self.broken:
            raise httpx.ReadError("the answer is lost")
        return httpx.Response(201, json=self.jobs[self.by_key[key]])

    def end(self, job_id: str, **changes: Any) -> None:
        """End a job: with a picture, or as `changes` say."""
        with self.lock:
            job = self.jobs[job_id]
            if job["completed_at"] is None:
                job |= {"status": "succeed", "completed_at": "2026-01-01T00:00:09Z", "phase": None, **result_of(job)}
                job |= changes

    def begin(self, job_id: str, progress: float) -> None:
        """Let a job's worker report."""
        with self.lock:
            self.jobs[job_id] |= {"started_at": "2026-01-01T00:00:01Z", "progress": progress, "phase": "running"}

    def wait_for_jobs(self, count: int) -> list[str]:
        """The ids of all jobs, once there are so many."""
        eventually(lambda: len(self.jobs) >= count)
        return list(self.jobs)


PICTURE = png()
PICTURES = ("init_images", "mask", "image")


def problem(status: int, code: str, detail: str, errors: tuple[dict[str, Any], ...] = ()) -> httpx.Response:
    """A refusal of Darkroom's."""
    return httpx.Response(status, json={"code": code, "detail": detail, "errors": list(errors)})


def row(kind: str, name: str, folder: str | None, sha256: str | None) -> dict[str, Any]:
    """A model file on the shelf."""
    return {
        "kind": kind,
        "name": name,
        "status": "active",
        "size": 16,
        "sha256": sha256,
        "owner": "anna",
        "created_at": "2026-01-01T00:00:00Z",
        "pickle": False,
        "base_model": None,
        "trigger_words": [],
        "reason": None,
        "done": None,
        "folder": folder,
        "aliases": [],
        "purpose": None,
    }


def job_of(job_id: str, body: dict[str, Any], owner: str) -> dict[str, Any]:
    """A new job, whose endpoint wakes."""
    return {
        **dict.fromkeys(Job.__required_keys__),
        "label": f"2026-01-01T00:00:00Z->{body['type']}->created->{job_id}",
        "id": job_id,
        "type": body["type"],
        "mode": None,
        "status": "in_progress",
        "owner": owner,
        "endpoint": "preview",
        "checkpoint": body.get("checkpoint") or "v1-5.safetensors",
        "created_at": "2026-01-01T00:00:00Z",
        "image_count": 0,
        "prompt": body["parameters"].get("prompt"),
        "tags": [],
        "seed": None,
        "notice_count": 0,
        "models": {},
        # Darkroom keeps pictures beside the parameters.
        "parameters": {name: value for name, value in body["parameters"].items() if name not in PICTURES},
        "inputs": [],
        "images": [],
        "infotexts": [],
        "phase": "waking",
        "phase_detail": "preview sleeps, and the job wakes it. The last wake-ups took 40 s.",
        "notices": [],
    }


def result_of(job: dict[str, Any]) -> dict[str, Any]:
    """What a worker makes of a job."""
    said = job["parameters"]
    if job["type"].startswith("interrogate"):
        return {"caption": "a lighthouse"}
    count = (said.get("batch_size") or 1) * (said.get("n_iter") or 1) if job["type"] != "extras" else 1
    seed = said.get("seed", -1)
    seeds = [(seed if seed >= 0 else 1000) + number for number in range(count)]
    texts = [
        f"{said.get('prompt', '')}\nSteps: 20, Sampler: Euler a, CFG scale: 7.0, Seed: {seed}, Size: 64x64, "
        "Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, Hires upscaler: Latent, Version: Darkroom preview"
        for seed in seeds
    ]
    images = [
        {
            "url": f"{URL}/pictures/{job['id']}/{number}",
            "key": f"jobs/{job['id']}/output/{number}.png",
            "width": 64,
            "height": 64,
            "seed": seed,
            "infotext": text,
            "sha256": hashlib.sha256(PICTURE).hexdigest(),
            "bytes": len(PICTURE),
            "thumbnail": None,
            "content_type": "image/png",
        }
        for number, (seed, text) in enumerate(zip(seeds, texts, strict=True))
    ]
    return {"images": images, "infotexts": texts, "image_count": count}


@contextmanager
def bridge(darkroom: FakeDarkroom, key: str | None = "a-key", **more: Any) -> Iterator[httpx.Client]:
    """A client of a bridge before this Darkroom."""
    with (
        bridged(URL, key, darkroom.client, **more) as address,
        httpx.Client(base_url=address, timeout=60, trust_env=False) as http,
    ):
        yield http
