"""Makes files of pictures and stores them, in a thread, while the next picture is painted."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from darkroom.jobs.contract import PaintedImage
from worker.engines import Painting
from worker.store import Location, Store

MOST_WAITING = 2
"""Pictures that are painted and not stored yet; more of them may not fit into memory."""


class Steps:
    """The `step` of a job for several threads. When it has ended the job in one of them, or `end` was called, it ends
    the others at their next step with the same error. What it tells of the progress never falls."""

    def __init__(self, step: Callable[[float], None]) -> None:
        self._step = step
        self._most = 0.0
        self._error: BaseException | None = None
        self._one = threading.Lock()

    def __call__(self, share: float) -> None:
        """See Task."""
        with self._one:
            if self._error is not None:
                raise self._error
            self._most = max(self._most, share)
            try:
                self._step(self._most)
            except BaseException as error:
                self._error = error
                raise

    def end(self, error: BaseException) -> None:
        """Ends the job with an error that came from elsewhere."""
        with self._one:
            self._error = self._error or error


class Filing:
    """Stores the pictures of one job, in their order. Use it as a context manager around the painting; `stored` has
    them all when `finish` has returned."""

    def __init__(self, store: Store, output: Location, steps: Steps) -> None:
        self._store = store
        self._output = output
        self._steps = steps
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="filing")
        self._waiting: deque[Future[tuple[PaintedImage, bool]]] = deque()
        self.stored: list[PaintedImage] = []
        self.untold = False
        """Whether the text of a picture did not fit into its file."""

    def __enter__(self) -> "Filing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # A picture at work is given up at its next piece.
            self._steps.end(error)
        self._thread.shutdown(wait=True, cancel_futures=True)

    def add(self, painting: Painting) -> None:
        """Takes a picture, and waits while too many are on their way. Raises what went wrong with those before."""
        while len(self._waiting) >= MOST_WAITING:
            self._take()
        number = len(self.stored) + len(self._waiting)
        self._waiting.append(self._thread.submit(self._file, number, painting))

    def finish(self) -> None:
        """Waits until all are stored. Raises what went wrong."""
        while self._waiting:
            self._take()

    def _take(self) -> None:
        image, told = self._waiting.popleft().result()
        self.stored.append(image)
        self.untold = self.untold or not told

    def _file(self, number: int, painting: Painting) -> tuple[PaintedImage, bool]:
        try:
            return self._written(number, painting)
        except BaseException as error:
            # The painting is not to go on for nothing.
            self._steps.end(error)
            raise

    def _written(self, number: int, painting: Painting) -> tuple[PaintedImage, bool]:
        file = painting.file
        at = self._output.within(f"{number}.{file.extension}")
        sha256 = self._store.write(at, file.content, file.media_type)
        thumbnail = self._output.within(f"thumbnails/{number}.webp") if painting.thumbnail else None
        if thumbnail and painting.thumbnail:
            self._store.write(thumbnail, painting.thumbnail, "image/webp")
        image = PaintedImage(
            key=at.key,
            width=painting.width,
            height=painting.height,
            seed=painting.seed,
            infotext=painting.infotext,
            sha256=sha256,
            bytes=len(file.content),
            thumbnail=thumbnail.key if thumbnail else None,
        )
        return image, file.told
