"""One job from request to answer: loading models, reading pictures, painting, storing the result."""

import contextlib
import logging
import threading
import time
from dataclasses import replace
from functools import partial

from PIL import Image

from darkroom.jobs.contract import PaintedImage, Timings, WorkAnswer, WorkError, WorkRequest
from worker.engines import Engine, Fetched, Task
from worker.errors import DamagedCopy, JobError, TryAgain
from worker.filing import Filing, Steps
from worker.findings import NOTHING, Findings
from worker.infotext import bounded, info
from worker.machine import machine
from worker.parameters import GenerationSettings, settings_of
from worker.picture_files import file_options
from worker.pictures import decode
from worker.store import Location, Store
from worker.turns import Turns
from worker.watch import Watch

log = logging.getLogger(__name__)

DESCRIBED = frozenset({"interrogate_clip", "interrogate_deepbooru"})
"""The types of jobs that a caption answers; pictures answer the others."""
MAX_PIXELS_TOGETHER = 400_000_000
MAX_INFOTEXT_BYTES = 64 * 1024
UNTOLD = "The text is too long for a file of this format, so the pictures came without it. A PNG holds all of it."


def perform(
    request: WorkRequest,
    engine: Engine,
    store: Store,
    stopping: threading.Event,
    arrived: float | None = None,
    turns: Turns | None = None,
) -> WorkAnswer:
    """Carries out a job, when it is its turn; returns the worker's answer. A JobError becomes an answer with `error`;
    other errors are raised.

    `arrived` is when the request came (`time.monotonic`), `stopping` is set when the process must end. Without `turns`
    it is the job's turn at once. Every attempt at one job writes the same keys, so a second one is harmless.
    """
    try:
        return _perform(request, engine, store, Watch(request, store, stopping), arrived, turns)
    except JobError as error:
        return WorkAnswer(error=WorkError(code=error.code, message=error.message))


def _perform(
    request: WorkRequest, engine: Engine, store: Store, watch: Watch, arrived: float | None, turns: Turns | None
) -> WorkAnswer:
    # Before anything is fetched: what cannot be painted is refused without it.
    settings = settings_of(request)
    file_options(settings.override_settings)
    watch.look()
    turn = turns.turn(watch.look) if turns else contextlib.nullcontext()
    with contextlib.closing(engine.fetch(request)) as fetched, turn:
        begun = time.monotonic()
        queued = None if arrived is None else begun - arrived
        watch.begin(lambda: fetched.share)
        serve = partial(_served, request, settings, engine, store, watch, fetched, begun, queued)
        try:
            return serve()
        except TryAgain as error:
            log.warning("job %s begins again: %s", request.job_id, error.message)
            fetched.renew(error.path if isinstance(error, DamagedCopy) else None)
            return serve()


def _served(
    request: WorkRequest,
    settings: GenerationSettings,
    engine: Engine,
    store: Store,
    watch: Watch,
    fetched: Fetched,
    begun: float,
    queued: float | None,
) -> WorkAnswer:
    """The answer of a job whose turn it is since `begun`, after `queued` seconds. Its files may still be on their
    way."""
    watch.step(0.0)
    task = Task(request, settings, _pictures(request, store, watch), watch.step)
    read = time.monotonic()
    engine.load(task)
    fetched.wait(partial(watch.step, 0.0))
    loaded = time.monotonic()
    # What came while it was being loaded is told as downloading: that took the time.
    there = min(max(read, fetched.done_at), loaded)
    watch.painting()
    watch.step(0.0)
    answer = WorkAnswer(caption=engine.caption(task)) if request.type in DESCRIBED else _paint(task, engine, store)
    timings = Timings(
        queued=None if queued is None else round(queued, 3),
        download=round(there - begun, 3),
        load=round(loaded - there, 3),
        run=round(time.monotonic() - loaded, 3),
    )
    beside = {
        "timings": timings,
        "notices": [*answer.notices, *engine.notices(task)],
        "components": engine.components(task),
        "machine": machine(),
    }
    return answer.model_copy(update=beside)


def _pictures(request: WorkRequest, store: Store, watch: Watch) -> dict[str, Image.Image]:
    """Every picture of the job, decoded; all of them together have a limit, as they are in memory at once."""
    look = partial(watch.step, 0.0)
    room = MAX_PIXELS_TOGETHER
    pictures = {}
    for name, uri in request.images.items():
        picture = decode(store.read(uri, name, look), name)
        room -= picture.width * picture.height
        if room < 0:
            message = f"The images of the job have more than {MAX_PIXELS_TOGETHER:,} pixels together."
            raise JobError("image_too_large", message)
        pictures[name] = picture
    return pictures


def _paint(task: Task, engine: Engine, store: Store) -> WorkAnswer:
    found: Findings | None = None
    steps = Steps(task.step)
    with Filing(store, Location.parse(task.request.output), steps) as filing:
        # One by one, and few wait to be stored: a hundred large ones would not fit into memory.
        for painting in engine.paint(replace(task, step=steps)):
            found = found or painting.found
            filing.add(painting)
        filing.finish()
    images = filing.stored
    short = _with_short_infotexts(images)
    notices = [UNTOLD] if filing.untold else []
    if task.request.type == "extras":
        # The WebUI tells no `info` of them, for there is no seed and no prompt.
        return WorkAnswer(images=short, notices=notices)
    told = bounded(info(task.request, task.settings, images, engine.version, found or NOTHING))
    return WorkAnswer(images=short, info=told, notices=notices)


def _with_short_infotexts(images: list[PaintedImage]) -> list[PaintedImage]:
    """The pictures with the first infotexts only, as many as Darkroom keeps: all of them stand in the PNGs, and a long
    prompt once for each of a hundred pictures makes an answer that is too large to be read."""
    room = MAX_INFOTEXT_BYTES
    kept = []
    for image in images:
        room -= len((image.infotext or "").encode())
        kept.append(image if room >= 0 else image.model_copy(update={"infotext": None}))
    return kept
