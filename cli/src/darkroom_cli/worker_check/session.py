"""One check of one worker: the jobs that are sent, and what was answered to them."""

import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from darkroom_cli.worker_check import answers, contract, pictures
from darkroom_cli.worker_check.answers import Reply
from darkroom_cli.worker_check.calls import Response, Worker
from darkroom_cli.worker_check.places import Place

PROMPT = "a lighthouse on a cliff"
SEED = 7
ATTEMPTS = 5
"""How often `/ping` is asked before the worker counts as dead: it may be slow where the machine is busy."""
INTERROGATORS = {"interrogate_clip": "clip", "interrogate_deepbooru": "deepdanbooru"}
"""What the WebUI's body calls them."""
Job = dict[str, Any]


class Fails(Exception):
    """The rule does not hold; the text says why."""


class Refused(Exception):
    """The worker does not do this, and says so as the contract wants it."""


class NotTried(Exception):
    """It could not be tried; the text says what to do."""


@dataclass(frozen=True)
class Options:
    """How jobs are made: pixels a side, steps, jobs side by side, and for how many seconds a long job is watched."""

    size: int = 256
    steps: int = 8
    at_once: int = 1
    watch: float = 13.0
    model_given: bool = False


@dataclass(frozen=True)
class Answered:
    """A job and its answer. `label` names the job for a person."""

    label: str
    job: Job
    response: Response
    reply: Reply

    @property
    def job_id(self) -> str:
        """The job's id."""
        return str(self.job.get("job_id"))


@dataclass
class Session:
    """The worker, its place, and every job that was answered."""

    worker: Worker
    place: Place
    options: Options
    checkpoint: Job
    models: dict[str, list[Job]] = field(default_factory=dict)
    files: dict[str, list[Job]] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)

    def job(self, kind: str = "txt2img", mode: str | None = None, **fields: Any) -> Job:
        """The body of a request: a job of this type with the pictures that it needs. `fields` replace whole fields of
        it, and `parameters` are added to those of the job."""
        side = self.options.size
        parameters = {**_parameters(kind, mode, side, self.options.steps), **fields.pop("parameters", {})}
        job_id = new_id()
        self.jobs.append(job_id)
        body = {
            "job_id": job_id,
            "type": kind,
            "mode": mode,
            "parameters": parameters,
            "images": {name: self.picture(name) for name in _needed(kind, mode)},
            "checkpoint": self.checkpoint if kind in ("txt2img", "img2img") else None,
            "models": self.models if kind in ("txt2img", "img2img") else {},
            "files": {purpose: files for purpose, files in self.files.items() if purpose == kind},
            "output": f"s3://{self.place.bucket}/{contract.output_prefix(job_id)}",
            "progress_queue": self.place.queue,
        }
        return {**body, **fields}

    def picture(self, name: str) -> str:
        """The S3 URI of one of the check's pictures: `init`, `mask`, or `sketch`."""
        side = self.options.size
        made: dict[str, Callable[[int, int], bytes]]
        made = {"init": pictures.start, "mask": pictures.mask, "sketch": pictures.sketch}
        return str(self.once(f"picture {name}", lambda: self.upload(made[name](side, side))))

    def upload(self, content: bytes, content_type: str = "image/png") -> str:
        """Stores an input picture; its S3 URI."""
        return self.place.put(f"images/darkroom-check/{uuid.uuid4().hex}", content, content_type)

    def ask(self, label: str, job: Job) -> Answered:
        """Sends a job, and waits for its answer."""
        return self.keep(label, job, self.send(job))

    def send(self, job: Job) -> Response:
        """Sends a job; the answer as it came."""
        return self.worker.invoke(json.dumps(job).encode())

    def keep(self, label: str, job: Job, response: Response) -> Answered:
        """An answer, read; the rows about all answers look at it."""
        answered = understood(label, job, response)
        self.answered.append(answered)
        return answered

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns or raises, made when it is first asked for."""
        if name not in self.memory:
            try:
                self.memory[name] = make()
            except (Fails, Refused, NotTried) as outcome:
                self.memory[name] = outcome
        value = self.memory[name]
        if isinstance(value, Exception):
            raise value
        return value

    def plain(self, kind: str, mode: str | None = None) -> Answered:
        """The plainest job of a type and mode, asked once."""
        label = f"{kind} {mode}" if mode else kind
        answered: Answered = self.once(label, lambda: self.ask(label, self.job(kind, mode)))
        return answered

    def sample(self, kind: str = "txt2img", mode: str | None = None) -> Answered:
        """The same, with pictures in its answer. Raises NotTried when the worker made none: what a check finds out with
        a job of this kind would then say nothing."""
        try:
            return self.painted(self.plain(kind, mode))
        except (Fails, Refused, NotTried) as why:
            raise NotTried(f"{kind} gives no picture: {why}") from why

    def painted(self, answered: Answered) -> Answered:
        """The same, when its answer has pictures."""
        self._result(answered)
        if not answered.reply.count:
            raise Fails("the answer has no picture")
        return answered

    def not_refused(self, answered: Answered) -> Answered:
        """The same, for what a worker that does the plain job may not refuse."""
        try:
            return self.painted(answered)
        except Refused as refusal:
            raise Fails(f"it refuses the job: {refusal}") from refusal

    def captioned(self, answered: Answered) -> str:
        """The caption of an answer."""
        self._result(answered)
        caption = answered.reply.caption
        if not caption or not caption.strip():
            raise Fails("the answer has no caption")
        return caption

    def objects_of(self, answered: Answered) -> dict[str, tuple[bytes, str] | None]:
        """The stored pictures of an answer by their keys: bytes and content type, None for one that is not there."""
        keys = [image.key for image in answered.reply.stored]
        return {key: self.once(f"object {key}", partial(self.place.get, key)) for key in keys if key}

    def files_of(self, answered: Answered) -> list[bytes]:
        """The bytes of every picture of an answer, stored or inside; one that is missing or empty is left out."""
        objects = self.objects_of(answered).values()
        return [*answered.reply.inside, *(found[0] for found in objects if found and found[0])]

    def alive(self) -> None:
        """Raises Fails when the worker answers nothing any more."""
        for _ in range(ATTEMPTS):
            answer = self.worker.ping()
            if answer.status is not None:
                return
        raise Fails(f"after it the worker does not answer /ping: {answer.fault}")

    def _result(self, answered: Answered) -> None:
        """Raises unless the answer has status 200 and is a result."""
        response, error = answered.response, answered.reply.error
        if response.status is None:
            raise Fails(response.fault)
        if error and response.status < 500:
            if not error.message:
                raise Fails(f"it refuses ({error.code}) without a message for the person")
            if error.code.startswith("model_") and not self.options.model_given:
                raise NotTried(f"it wants model files; give --checkpoint FILE ({error})")
            if error.code in ("cancelled", "worker_stopped"):
                raise Fails(f"nobody asked for it, and it answers {error}")
            raise Refused(str(error))
        if response.status != 200:
            raise Fails(f"status {response.status}: {error or response.content[:200].decode(errors='replace')}")
        if wrong := [problem.why for problem in answered.reply.problems if problem.rule == "answer"]:
            raise Fails(wrong[0])


def understood(label: str, job: Job, response: Response) -> Answered:
    """An answer, read."""
    return Answered(label, job, response, answers.read(str(job.get("job_id")), response.content))


def new_id() -> str:
    """An id as Darkroom gives it to a job: UUIDv7."""
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0b11 << 62) | 0b10 << 62))


def _needed(kind: str, mode: str | None) -> tuple[str, ...]:
    return contract.PICTURES_OF[kind] + (contract.MODES[mode] if mode else ())


def _parameters(kind: str, mode: str | None, side: int, steps: int) -> Job:
    if kind == "extras":
        return {"image": "image:init", "resize_mode": 0, "upscaling_resize": 2, "upscaler_1": "Lanczos"}
    if kind in contract.CAPTIONED:
        return {"image": "image:init", "model": INTERROGATORS[kind]}
    base = {"prompt": PROMPT, "seed": SEED, "steps": steps, "cfg_scale": 7, "width": side, "height": side}
    base |= {"sampler_name": "Euler", "batch_size": 1, "n_iter": 1}
    if kind == "txt2img":
        return base
    base |= {"init_images": ["image:init"], "denoising_strength": 0.75}
    if mode in ("inpaint", "inpaint_upload"):
        base |= {"mask": "image:mask"}
    if mode in ("inpaint", "inpaint_upload", "inpaint_sketch"):
        base |= {"mask_blur": 0, "inpainting_fill": 1, "inpaint_full_res": False}
    return base
