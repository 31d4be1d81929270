"""Engines, which make the pictures: their interface, and the engines by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from PIL import Image

from darkroom.jobs.contract import Components, WorkRequest
from worker.findings import NOTHING, Findings
from worker.parameters import GenerationSettings
from worker.picture_files import PictureFile, encode, file_options
from worker.pictures import thumbnail


@dataclass(frozen=True)
class Task:
    """One job, ready to be painted.

    `pictures` holds every entry of `request.images`, decoded and upright. `step(progress)` is to be called
    between steps with the share done, 0 to 1; it ends the job by raising a JobError, to be let through. Every loop
    that gets longer with what the job asks for calls it, or the job can be neither cancelled nor shut down.
    """

    request: WorkRequest
    settings: GenerationSettings
    pictures: Mapping[str, Image.Image]
    step: Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Painting:
    """One finished picture. `encoded` makes its file, which carries `infotext`; that takes a while, so it is left to
    whoever wants the file. `found` is what the text says and the job does not."""

    image: Image.Image
    encoded: Callable[[], PictureFile]
    seed: int | None
    infotext: str
    found: Findings = NOTHING

    @property
    def width(self) -> int:
        """In pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.image.height

    @cached_property
    def file(self) -> PictureFile:
        """The file, made at the first call."""
        return self.encoded()

    @cached_property
    def thumbnail(self) -> bytes | None:
        """A small WebP of it; None for a picture that is small itself."""
        return thumbnail(self.image)

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return self.file.content


def painting(
    task: Task,
    image: Image.Image,
    texts: Mapping[str, str],
    infotext: str,
    share: float,
    seed: int | None = None,
    found: Findings = NOTHING,
) -> Painting:
    """A finished picture, to become a file of the format that the job asks for. `texts` are what the file carries by
    the names of its chunks; `share` is how much of the job is done."""
    options = file_options(task.settings.override_settings)
    encoded = partial(encode, image, texts, options, task.request.job_id, partial(task.step, share))
    return Painting(image, encoded, seed, infotext, found)


class Fetched(Protocol):
    """The model files of a job, on their way to this machine or there."""

    @property
    def share(self) -> float | None:
        """How much of them is there, 0 to 1; None while that is not known."""
        ...

    @property
    def done_at(self) -> float:
        """When the last of them was there (`time.monotonic`); infinite before that."""
        ...

    def wait(self, look: Callable[[], None]) -> None:
        """Returns when all have come that can come; `look` is called meanwhile."""
        ...

    def renew(self, damaged: Path | None) -> None:
        """Fetch what is not there any more, after one of them turned out to be damaged, or was replaced."""
        ...

    def close(self) -> None:
        """The job has ended: they need not come, or stay, for it any more."""
        ...


class NothingToFetch:
    """What an engine without model files fetches."""

    share = 1.0
    done_at = float("-inf")

    def wait(self, look: Callable[[], None]) -> None:
        """All is there."""

    def renew(self, damaged: Path | None) -> None:
        """Nothing can be damaged."""

    def close(self) -> None:
        """Nothing came."""


class Engine(Protocol):
    """Paints and describes, in as many threads as jobs are painted side by side.

    A JobError is for what a person can act on.
    """

    @property
    def version(self) -> str:
        """The `Version` in the infotext."""
        ...

    @property
    def device(self) -> str:
        """What it paints on: `cpu`, `cuda`."""
        ...

    def models_loaded(self) -> list[str]:
        """The names of the model files that are ready; asked for beside a job that is painted."""
        ...

    def fetch(self, request: WorkRequest) -> Fetched:
        """Begins to bring the model files that the job names to this machine, beside jobs that are painted, and
        returns at once."""
        ...

    def load(self, task: Task) -> None:
        """Loads the models that the job names; returns at once for those that are loaded already."""
        ...

    def paint(self, task: Task) -> Iterator[Painting]:
        """The pictures of a txt2img, img2img or extras job, one by one, in the order of their seeds."""
        ...

    def notices(self, task: Task) -> list[str]:
        """Sentences for the person whose job it is: what is done otherwise than the body says."""
        ...

    def components(self, task: Task) -> Components:
        """What makes the result: the engine, its version, how it computes, and the model files it uses."""
        ...

    def caption(self, task: Task) -> str:
        """Describes an interrogate job's picture: by a sentence (clip), or by tags with commas (deepbooru)."""
        ...


def _preview() -> Engine:
    from worker.engines.preview import PreviewEngine

    return PreviewEngine()


def _diffusers() -> Engine:
    from worker.engines.diffusers.engine import DiffusersEngine

    return DiffusersEngine()


# An engine is imported when it is made, because the others may need packages that are not installed.
ENGINES: dict[str, Callable[[], Engine]] = {"preview": _preview, "diffusers": _diffusers}


def check_engine(name: str) -> None:
    """ValueError, with the known names, for an engine that is not there."""
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are: {', '.join(ENGINES)}")


def make_engine(name: str) -> Engine:
    """Makes the engine of that name; ValueError, with the known names, for any other."""
    check_engine(name)
    return ENGINES[name]()
