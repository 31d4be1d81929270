"""A worker that somebody else wrote, good but for what it is told to do wrong: for tests of `darkroom worker check`.

`python -m tests.conformance.foreign_worker PORT [FAULT]` runs it as a process.
"""

import base64
import hashlib
import io
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import uvicorn
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TYPES = ("txt2img", "img2img", "extras", "interrogate_clip", "interrogate_deepbooru")
CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
PICTURE_SECONDS = 0.05
"""How long each picture of a long job takes."""
REPORT_SECONDS = 5.0


class Refusal(Exception):
    """A job that is not done: status, code, message."""


class Foreign:
    """The worker. `fault` names what it does wrong, "" nothing. `plain`: it answers as the WebUI's API does."""

    def __init__(self, s3: Any, sqs: Any, fault: str = "", plain: bool = False) -> None:
        self.s3, self.sqs, self.fault, self.plain = s3, sqs, fault, plain
        self.running = 0
        self.reported = 0.0
        self.lock = threading.Lock()
        self.earlier: set[str] | None = None

    def app(self) -> Starlette:
        routes = [Route("/ping", self.ping), Route("/invocations", self.invocations, methods=["POST"])]
        return Starlette(routes=routes)

    def ping(self, _: Request) -> Response:
        if self.fault == "silent while busy" and self.running:
            time.sleep(1)
        if self.fault == "ping" or (self.fault == "ping while busy" and self.running):
            return Response(status_code=503)
        if self.plain:
            return Response("\n")
        return JSONResponse({"ready": "yes" if self.fault == "ready" else True, "engine": "crayons"})

    async def invocations(self, request: Request) -> Response:
        body = await request.body()
        if self.fault == "dies of a huge body" and len(body) > 8_000_000:
            os._exit(1)
        return await run_in_threadpool(self.answer, body)

    def answer(self, body: bytes) -> Response:
        with self.counted() as others:
            try:
                if self.fault == "one job alone" and others:
                    raise Refusal(200, "busy", "Another job runs.")
                return self.done(self.read(body))
            except Refusal as refusal:
                status, code, message = refusal.args
                if self.plain and status == 400:
                    return JSONResponse({"detail": message}, 422)
                return JSONResponse({"error": {"code": code, "message": message}}, status)

    @contextmanager
    def counted(self) -> Iterator[int]:
        with self.lock:
            self.running += 1
            others = self.running - 1
        try:
            yield others
        finally:
            with self.lock:
                self.running -= 1

    # -- what comes in -----------------------------------------------------------------------------------

    def read(self, body: bytes) -> dict[str, Any]:
        """The job. Raises Refusal for what is none."""
        bad = 500 if self.fault == "500 for what is no job" else 400
        try:
            job = json.loads(body)
        except ValueError:
            raise Refusal(bad, "bad_request", "The body is no JSON.") from None
        if not isinstance(job, dict) or "job_id" not in job or "output" not in job:
            raise Refusal(bad, "bad_request", "A job needs job_id, type and output.")
        if job.get("type") not in TYPES:
            raise Refusal(bad, "bad_request", "There is no such type.")
        uris = [job["output"], *job.get("images", {}).values()]
        if not all(uri.startswith("s3://") for uri in uris) or not job["output"].endswith("/"):
            raise Refusal(bad, "bad_request", "That is no S3 URI.")
        if self.fault == "refuses unknown fields" and "field_of_a_later_version" in job:
            raise Refusal(400, "bad_request", "An unknown field.")
        if self.fault == "needs every field" and "images" not in job:
            raise Refusal(400, "bad_request", "images is missing.")
        if self.fault == "needs a queue" and not job.get("progress_queue"):
            raise Refusal(400, "bad_request", "progress_queue is missing.")
        return job

    def pictures(self, job: dict[str, Any]) -> dict[str, Image.Image]:
        found = {}
        for name, uri in job.get("images", {}).items():
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            try:
                content = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                picture = Image.open(io.BytesIO(content), formats=["png", "jpeg"])
                picture.load()
            except self.s3.exceptions.ClientError:
                if self.fault == "paints without its picture":
                    continue
                raise Refusal(200, "image_missing", f"The picture {name} is gone.") from None
            except OSError:
                if self.fault == "paints from a broken picture":
                    continue
                raise Refusal(200, "image_unreadable", f"The picture {name} is broken.") from None
            found[name] = picture if self.fault == "ignores EXIF" else ImageOps.exif_transpose(picture)
        if job["type"] != "txt2img" and "init" not in found and not self.fault.startswith("paints "):
            raise Refusal(200, "image_missing", "There is no picture to start from.")
        if len({found[name].size for name in found if name in ("init", "mask")}) > 1:
            message = "" if self.fault == "an error without words" else "Sizes differ."
            raise Refusal(200, "sizes_differ", message)
        return found

    # -- what goes out -----------------------------------------------------------------------------------

    def done(self, job: dict[str, Any]) -> Response:
        kind, mode = job["type"], job.get("mode")
        if self.fault in (kind, f"{kind} {mode}"):
            return Response("It broke.", 500)
        if self.fault == "refuses everything":
            raise Refusal(200, "unsupported", "This worker does nothing.")
        self.look(job, first=True)
        self.report(job, 0.0)
        found = self.pictures(job)
        parameters = job.get("parameters", {})
        if not isinstance(parameters.get("steps", 1), int) and self.fault != "takes any steps":
            raise Refusal(200, "parameter_invalid", "steps is no number.")
        if self.fault == "no Infinity" and "s_tmax" in parameters:
            raise Refusal(200, "parameter_invalid", "s_tmax is no number.")
        missing = (job.get("checkpoint") or {}).get("name") == "missing.safetensors"
        if missing:
            if self.fault == "silent without its model":
                return Response(status_code=500)
            raise Refusal(200, "model_missing", "The checkpoint is gone.")
        if kind.startswith("interrogate"):
            if self.fault == "no json" and kind == "interrogate_deepbooru":
                return Response("1girl, solo")
            caption = "" if self.fault == "an empty caption" and kind == "interrogate_clip" else "a lighthouse"
            return JSONResponse({"caption": caption})
        paint = self.painted(job, found)
        if self.plain:
            return JSONResponse(self.webui(job, list(paint)))
        return JSONResponse(self.manifest(job, list(paint)))

    def painted(self, job: dict[str, Any], found: dict[str, Image.Image]) -> Iterator[tuple[str, bytes]]:
        """Infotext and file of each picture."""
        parameters = job.get("parameters", {})
        count = parameters.get("batch_size", 1) * parameters.get("n_iter", 1)
        if self.fault == "ignores batches" and job["type"] == "txt2img":
            count = 1
        if self.fault == "one of several starts" and job["type"] == "img2img":
            count = 1
        size = (parameters.get("width", 64), parameters.get("height", 64))
        if job["type"] == "extras":
            size = tuple(2 * side for side in found["init"].size)  # type: ignore[assignment]
        elif self.fault == "another size" and job["type"] == "txt2img":
            size = (size[0] + 8, size[1])
        for number in range(count):
            if count > 16:
                time.sleep(PICTURE_SECONDS)
                self.look(job)
                self.report(job, max(number, 1) / count)
            picture = Image.new("RGB", size, (number * 40 % 256, 90, 30))
            if "mask" in found and "init" in found and self.fault != "ignores masks":
                start = found["init"].convert("RGB").resize(size)
                picture = Image.composite(picture, start, found["mask"].convert("L").resize(size))
            text = f"a lighthouse\nSteps: 1, Seed: {7 + number}"
            yield text, self.file(job, picture, text)

    def form(self, job: dict[str, Any]) -> str:
        wanted = job.get("parameters", {}).get("override_settings", {}).get("samples_format", "png")
        return "png" if self.fault == f"no {wanted}" else str(wanted)

    def file(self, job: dict[str, Any], picture: Image.Image, text: str) -> bytes:
        if self.fault == "a picture that is none" and job["type"] == "extras":
            return b"\x89PNG\r\n\x1a\nand no more"
        out, notes = io.BytesIO(), PngInfo()
        notes.add_text("parameters", text)
        form = self.form(job)
        picture.save(out, {"jpg": "JPEG"}.get(form, form.upper()), **({"pnginfo": notes} if form == "png" else {}))
        return out.getvalue()

    def webui(self, job: dict[str, Any], paint: list[tuple[str, bytes]]) -> dict[str, Any]:
        encoded = [base64.b64encode(content).decode() for _, content in paint]
        if job["type"] == "extras":
            return {"image": encoded[0], "html_info": ""}
        texts, seeds = [text for text, _ in paint], [7 + number for number in range(len(paint))]
        grid = len(paint) > 1
        info = {"seed": 7, "all_seeds": seeds, "index_of_first_image": int(grid)}
        info["infotexts"] = [*texts[: int(grid)], *texts]
        return {"images": [*encoded[: int(grid)], *encoded], "parameters": {}, "info": json.dumps(info)}

    def manifest(self, job: dict[str, Any], paint: list[tuple[str, bytes]]) -> dict[str, Any]:
        bucket, _, prefix = job["output"].removeprefix("s3://").partition("/")
        images = [self.stored(job, bucket, prefix, number, *each) for number, each in enumerate(paint)]
        if self.fault == "an object that nobody names":
            self.s3.put_object(Bucket=bucket, Key=f"{prefix}log.txt", Body=b"x")
        answer: dict[str, Any] = {"images": images, "timings": {"run": 0.01}, "components": {"engine": "crayons"}}
        answer |= {"notices": ["Painted with crayons."], "machine": {"gpu": "Tesla T4", "cpus": 4}}
        wrong = {"timings": {"run": -1}, "notices": [3], "components": {"engine": 3}, "machine": {"cpus": 0}}
        if self.fault in wrong:
            answer[self.fault] = wrong[self.fault]
        if self.fault == "a large answer":
            answer["padding"] = "x" * 200_000
        return answer

    def stored(
        self, job: dict[str, Any], bucket: str, prefix: str, number: int, text: str, content: bytes
    ) -> dict[str, Any]:
        """Stores a picture; its entry in the answer."""
        form = self.form(job)
        names = {
            "random keys": f"{uuid.uuid4().hex}.{form}",
            "a blank in keys": f"{number} .{form}",
            "an unknown extension": f"{number}.tiff",
            "a key twice": f"0.{form}",
        }
        key = f"{prefix}{names.get(self.fault, f'{number}.{form}')}"
        if self.fault == "keys elsewhere":
            key = f"jobs/{uuid.UUID(int=1)}/output/{job['job_id']}-{number}.{form}"
        if self.fault != "stores nothing":
            kept = b"" if self.fault == "stores empty files" else content
            kind = "application/octet-stream" if self.fault == "content types" else CONTENT_TYPES[form]
            self.s3.put_object(Bucket=bucket, Key=key, Body=kept, ContentType=kind)
        size = (
            Image.open(io.BytesIO(content), formats=["png", "jpeg", "webp"]).size
            if job["type"] != "extras" or self.fault == ""
            else (128, 128)
        )
        entry: dict[str, Any] = {"key": key, "width": size[0], "height": size[1], "seed": 7 + number}
        entry |= {"infotext": text, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        changes: dict[str, dict[str, Any]] = {
            "width 0": {"width": 0},
            "another width": {"width": size[0] + 1},
            "a seed below -1": {"seed": -5},
            "no seed": {"seed": None},
            "no bytes": {"bytes": 0},
            "other bytes": {"bytes": len(content) + 1},
            "no digest": {"sha256": "abc"},
            "another digest": {"sha256": "0" * 64},
            "another infotext": {"infotext": "a pier"},
            "a thumbnail that is not there": {"thumbnail": f"{prefix}thumbnails/0.webp"},
            "a thumbnail elsewhere": {"thumbnail": "images/0.webp"},
        }
        return {**entry, **changes.get(self.fault, {})}

    # -- while it paints ---------------------------------------------------------------------------------

    def look(self, job: dict[str, Any], first: bool = False) -> None:
        """Raises Refusal for a job that was cancelled."""
        if self.fault == ("begins what is cancelled" if first else "goes on when cancelled"):
            return
        bucket, _, prefix = job["output"].removeprefix("s3://").partition("/")
        marker = prefix.removesuffix("output/") + "cancelled"
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix="jobs/" if self.fault == "any marker" else marker)
        markers = {entry["Key"] for entry in listed.get("Contents", []) if entry["Key"].endswith("cancelled")}
        if self.earlier is None:
            # What another test left in the bucket.
            self.earlier = markers - {marker}
        if markers - self.earlier:
            raise Refusal(200, "cancelled", "The job was cancelled.")

    def report(self, job: dict[str, Any], share: float) -> None:
        queue = job.get("progress_queue")
        often = self.fault in ("reports too often", "goes back")
        now = time.monotonic()
        if not queue or self.fault == "no progress" or (share and not often and now - self.reported < REPORT_SECONDS):
            return
        self.reported = now
        message = {
            "event": "darkroom.progress",
            "job_id": job["job_id"],
            "progress": 0.9 - share if self.fault == "goes back" else share,
            "started_at": "2026-01-01T00:00:00Z",
        }
        changes: dict[str, dict[str, Any]] = {
            "a result in progress": {"images": []},
            "progress in percent": {"progress": 40},
            "progress of nothing": {"job_id": "x"},
        }
        self.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({**message, **changes.get(self.fault, {})}))


def main() -> None:
    port, fault = int(sys.argv[1]), "".join(sys.argv[2:])
    worker = Foreign(boto3.client("s3"), boto3.client("sqs"), fault)
    config = uvicorn.Config(worker.app(), port=port, log_level="error", timeout_graceful_shutdown=25)
    server = uvicorn.Server(config)
    if fault == "dies of SIGTERM":
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        server.capture_signals = contextmanager(lambda: iter([None]))  # type: ignore[method-assign]
    server.run()


if __name__ == "__main__":
    main()
