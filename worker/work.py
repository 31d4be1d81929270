"""One job from request to answer: loading models, reading pictures, painting, storing the result."""

import threading
import time

from darkroom.jobs.contract import PaintedImage, Timings, WorkAnswer, WorkError, WorkRequest
from worker.engines import Engine, Task
from worker.errors import JobError
from worker.infotext import info
from worker.parameters import settings_of
from worker.pictures import decode
from worker.store import Location, Store
from worker.watch import Watch


def perform(request: WorkRequest, engine: Engine, store: Store, stopping: threading.Event) -> WorkAnswer:
    """Carries out a job; returns the worker's answer. A JobError becomes an answer with `error`; other errors are
    raised.

    Every attempt at a job writes the same keys in S3, so a second attempt does no harm.
    """
    try:
        return _perform(request, engine, store, Watch(request, store, stopping))
    except JobError as error:
        return WorkAnswer(error=WorkError(code=error.code, message=error.message))


def _perform(request: WorkRequest, engine: Engine, store: Store, watch: Watch) -> WorkAnswer:
    watch.step(0.0)
    started = time.monotonic()
    engine.load(request)
    loaded = time.monotonic()
    pictures = {name: decode(store.read(uri, name), name) for name, uri in request.images.items()}
    task = Task(request, settings_of(request), pictures, watch.step)
    if request.type in ("txt2img", "img2img"):
        answer = _paint(task, engine, store)
    else:
        answer = WorkAnswer(caption=engine.caption(task))
    timings = Timings(model=round(loaded - started, 3), run=round(time.monotonic() - loaded, 3))
    return answer.model_copy(update={"timings": timings})


def _paint(task: Task, engine: Engine, store: Store) -> WorkAnswer:
    output = Location.parse(task.request.output)
    images: list[PaintedImage] = []
    # One picture at a time, because a hundred large ones would not fit into memory.
    for number, painting in enumerate(engine.paint(task)):
        at = output.within(f"{number}.png")
        sha256 = store.write(at, painting.png)
        images.append(
            PaintedImage(
                key=at.key,
                width=painting.width,
                height=painting.height,
                seed=painting.seed,
                infotext=painting.infotext,
                sha256=sha256,
                bytes=len(painting.png),
            )
        )
    return WorkAnswer(images=images, info=info(task.request, task.settings, images, engine.version))
