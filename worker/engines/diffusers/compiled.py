"""Compiled UNets: which shapes are compiled, when, and where the packages are kept for the next instance.

Everything here goes on beside the jobs. A package that is kept is fetched when a shape is first asked for; one that is
not is compiled when the shape was asked for often enough, one at a time, the most wanted first, by a process with the
lowest priority. What fails is told in the log, and not tried again.
"""

import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch

from worker.engines.diffusers.compiling import Recipe, load_package, recipe
from worker.engines.diffusers.graphs import CudaRecorder
from worker.engines.diffusers.running import Code, Runner, Shapes
from worker.store import Location, Store

log = logging.getLogger(__name__)

OFTEN = 2
"""Passes of a shape after which it is compiled: what is painted once may never come again."""
MOST_WAITING = 32
"""Shapes that are remembered while they wait; more are forgotten until they are asked for again."""
LONGEST = 1800
"""Seconds that compiling may take."""
ROOM = 2 * 1024**3
"""Bytes of a GPU's memory that must be free: the other process needs some of it, and a job must not miss them."""
NICE = 19
COMPILED = "compiled"
SPEEDS = (COMPILED, "graphs", "plain")
PACKAGES = "application/octet-stream"


class Kept(Protocol):
    """Where packages outlive the instance."""

    def read(self, made: Recipe) -> bytes | None:
        """The package of a recipe; None when there is none, or it cannot be had."""
        ...

    def write(self, made: Recipe, package: bytes) -> None:
        """Keeps a package. An error is only logged."""
        ...


class KeptInS3:
    """Packages under a prefix of a bucket, by torch, card and digest. They are code that this process runs: whoever
    can write there can run code in every worker."""

    def __init__(self, prefix: Location, store: Store) -> None:
        """`prefix` ends with a slash."""
        self._prefix = prefix
        self._store = store

    def read(self, made: Recipe) -> bytes | None:
        """See Kept."""
        return self._store.read_kept(self._at(made))

    def write(self, made: Recipe, package: bytes) -> None:
        """See Kept."""
        self._store.write_kept(self._at(made), package, PACKAGES)

    def _at(self, made: Recipe) -> Location:
        folders = [re.sub(r"[^a-z0-9.]+", "-", part.lower()) for part in (f"torch {made.torch}", made.card)]
        return self._prefix.within(f"{'/'.join(folders)}/{made.digest}.pt2")


def kept(environment: Mapping[str, str], store: Store) -> Kept | None:
    """The place that the variable DARKROOM_COMPILED names (`s3://bucket/compiled/`); None without it. ValueError for
    one that is no folder in S3."""
    uri = environment.get("DARKROOM_COMPILED")
    if not uri:
        return None
    if not uri.endswith("/"):
        raise ValueError("DARKROOM_COMPILED must end with a slash")
    return KeptInS3(Location.parse(uri), store)


def runners(device: str, environment: Mapping[str, str], store: Store) -> Callable[[Any], Runner]:
    """What makes the runner of each UNet. On a GPU the variable DARKROOM_SPEED says what it may do: `compiled` (graphs,
    and compiling beside the jobs), `graphs`, or `plain`. A processor gains nothing by either. ValueError for another
    word, or a wrong DARKROOM_COMPILED."""
    speed = environment.get("DARKROOM_SPEED", COMPILED)
    if speed not in SPEEDS:
        raise ValueError(f"DARKROOM_SPEED must be one of: {', '.join(SPEEDS)}")
    place = kept(environment, store)
    if device != "cuda" or speed == "plain":
        return Runner
    compiler = CompilesBeside(place) if speed == COMPILED else None
    return lambda unet: Runner(unet, CudaRecorder(), compiler)


def compile_beside(made: Recipe, package: Path, nice: int = NICE) -> None:
    """Compiles a recipe in another process, which gives way to everything else. Raises RuntimeError when it fails."""
    source = package.with_suffix(".json")
    source.write_text(made.text())
    threads = max(1, (os.cpu_count() or 1) // 2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": str(threads)}
    # With `-c`, as the process is to find the same modules as this one.
    code = (
        f"import os, sys; os.nice({nice}); sys.path[:] = {sys.path!r}; from worker.engines.diffusers import compiling"
    )
    command = [sys.executable, "-c", f"{code}; sys.exit(compiling.main(sys.argv[1:]))", str(source), str(package)]
    # Its standard input stays open as long as this process lives: that is how it notices an end.
    with subprocess.Popen(  # noqa: S603 - the command is our own
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            errors = _waited(process)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise RuntimeError(f"it took more than {LONGEST} seconds") from error
    if process.returncode:
        raise RuntimeError((errors.decode(errors="replace").strip().splitlines() or [f"code {process.returncode}"])[-1])


def _waited(process: "subprocess.Popen[bytes]") -> bytes:
    """Waits without closing the standard input, and returns what was written to the standard error: it is read
    meanwhile, so that the pipe does not fill."""
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(process.stderr.read() if process.stderr else b""))
    reader.start()
    process.wait(LONGEST)
    reader.join()
    return b"".join(found)


class CompilesBeside:
    """Compiles what is asked for often, beside the jobs. See `running.Compiled`."""

    def __init__(
        self,
        keep: Kept | None = None,
        build: Callable[[Recipe, Path], None] = compile_beside,
        often: int = OFTEN,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`build` makes a package; `changed` is called when something is ready, or has failed."""
        self._keep = keep
        self._build = build
        self._often = often
        self._changed = changed
        self._folder = tempfile.TemporaryDirectory(prefix="compiled-")
        self._wake = threading.Condition()
        self._recipes: WeakKeyDictionary[Any, dict[Shapes, Recipe]] = WeakKeyDictionary()
        self._ready: dict[str, dict[Shapes, Code]] = {}
        self._waiting: dict[str, tuple[Recipe, str, Shapes]] = {}
        self._times: Counter[str] = Counter()
        self._looked: set[str] = set()
        self._ended: set[str] = set()
        self._thread: threading.Thread | None = None

    def ready(self, unet: Any) -> Mapping[Shapes, Code]:
        """See Compiled."""
        layout = self._recipe(unet, ()).digest
        with self._wake:
            return dict(self._ready.get(layout, {}))

    def asked(self, unet: Any, shapes: Shapes) -> None:
        """See Compiled."""
        made, layout = self._recipe(unet, shapes), self._recipe(unet, ()).digest
        digest = made.digest
        with self._wake:
            self._times[digest] += 1
            if digest in self._ended:
                return
            if digest not in self._waiting:
                while len(self._waiting) >= MOST_WAITING:
                    del self._waiting[min(self._waiting, key=self._times.__getitem__)]
                self._waiting[digest] = (made, layout, shapes)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="compiling", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _recipe(self, unet: Any, shapes: Shapes) -> Recipe:
        # Made once: a recipe names some thousand weights, and this is asked before each picture.
        known = self._recipes.setdefault(unet, {})
        if shapes not in known:
            known[shapes] = recipe(unet, shapes)
        return known[shapes]

    def _work(self) -> None:
        while True:
            with self._wake:
                while (digest := self._next()) is None:
                    self._wake.wait()
                made, layout, shapes = self._waiting[digest]
                first = digest not in self._looked
                self._looked.add(digest)
            code = self._fetched(made) if first else self._compiled(made)
            if code is None and first:
                continue
            if code is None and not self._has_room(made):
                # It is asked for again, and then there may be room.
                with self._wake:
                    self._times[digest] = 0
                continue
            with self._wake:
                self._ended.add(digest)
                self._waiting.pop(digest, None)
                if code is not None:
                    self._ready.setdefault(layout, {})[shapes] = code
            self._changed()

    def _next(self) -> str | None:
        """What is done next: a shape that may be kept, else the most wanted that is to be compiled."""
        new = next((digest for digest in self._waiting if self._keep and digest not in self._looked), None)
        if new or not (due := [digest for digest in self._waiting if self._times[digest] >= self._often]):
            return new
        self._looked.update(due)
        return max(due, key=self._times.__getitem__)

    def _fetched(self, made: Recipe) -> Code | None:
        content = self._keep.read(made) if self._keep else None
        if content is None:
            return None
        package = self._package(made)
        package.write_bytes(content)
        return self._loaded(made, package, "fetched")

    def _compiled(self, made: Recipe) -> Code | None:
        if not self._has_room(made):
            log.warning("not compiled, as less than %d bytes of the GPU's memory are free", ROOM)
            return None
        package = self._package(made)
        try:
            self._build(made, package)
        except Exception as error:
            log.warning("cannot compile %s: %s: %s", made.digest, type(error).__name__, error)
            return None
        code = self._loaded(made, package, "compiled")
        if code is not None and self._keep:
            self._keep.write(made, package.read_bytes())
        return code

    def _has_room(self, made: Recipe) -> bool:
        return made.device != "cuda" or torch.cuda.mem_get_info()[0] >= ROOM

    def _loaded(self, made: Recipe, package: Path, how: str) -> Code | None:
        try:
            code = load_package(package, made)
        except Exception as error:
            log.warning("cannot load %s, which was %s: %s", made.digest, how, type(error).__name__)
            return None
        log.info("%s is %s", made.digest, how)
        return code

    def _package(self, made: Recipe) -> Path:
        return Path(self._folder.name, f"{made.digest}.pt2")
