"""From the models that a WebUI body names to files on the shelf."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from darkroom.checkpoints.model import FileFacts, Kind, ModelKey
from darkroom.checkpoints.ports import ModelRegistry
from darkroom.checkpoints.purposes import ENGINE_FILE, Purpose
from darkroom.webui import upscalers
from darkroom.webui.mentions import Mention
from darkroom.webui.spelling import Ambiguous, FileNames, KnownFile, folded, possible_names, stem

CACHE_SECONDS = 5.0
"""How long a warm function remembers the names of a kind. A name that is not among them is looked up anew at once, so
a file that was just uploaded is found; one that was just deleted is refused when the job is written."""


MOST_FOR_A_PURPOSE = 32
"""How many files of a purpose a job gets: every request to a worker names them all."""
NO_OBJECTS: Mapping[ModelKey, str] = {}


@dataclass(frozen=True)
class Missing:
    """A mention that no active file answers to, and what would help: a sentence for a person, or nothing."""

    mention: Mention
    hint: str = ""


@dataclass(frozen=True)
class Resolution:
    """What was found, each with its mention, and what was not, in the order of the mentions."""

    found: tuple[tuple[Mention, ModelKey], ...] = ()
    missing: tuple[Missing, ...] = ()


class ModelResolver:
    """Finds model files by the names that people and the WebUI write."""

    def __init__(self, registry: ModelRegistry, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` gives seconds that only grow."""
        self._registry = registry
        self._monotonic = monotonic
        self._known: dict[Kind, tuple[float, FileNames]] = {}

    def forget(self) -> None:
        """Read the names of every kind anew when they are next needed: one of them was wrong."""
        self._known.clear()

    def resolve(self, mentions: tuple[Mention, ...], objects: Mapping[ModelKey, str] = NO_OBJECTS) -> Resolution:
        """The files of these mentions: one Query for each kind that was not read lately, one more for a kind in which
        a name is not found. A mention that is not required and has no file is left out. `objects` are the S3 keys of
        files by the names that they had when they were used: such a mention means that file, whatever it is called
        now."""
        found: list[tuple[Mention, ModelKey]] = []
        missing: list[Missing] = []
        for mention in mentions:
            try:
                key = self._find(mention, objects)
            except Ambiguous as several:
                missing.append(Missing(mention, f"it may be any of {', '.join(several.names)}: say which"))
                continue
            if key:
                found.append((mention, key))
            elif mention.required:
                missing.append(Missing(mention, _hint(mention)))
        return Resolution(tuple(found), tuple(missing))

    def embeddings(self, words: tuple[str, ...]) -> tuple[ModelKey, ...]:
        """The embeddings that these texts call for by their bare names, in any case."""
        text = folded("\n".join(words))
        if not text.strip():
            return ()
        return tuple(
            ModelKey("embedding", file.name)
            for file in self._names("embedding").files
            if _says(text, folded(stem(file.name)))
        )

    def vae_beside(self, checkpoint: str) -> ModelKey | None:
        """The VAE that the setting Automatic means for a checkpoint: the one with the same file name (the WebUI's
        modules/sd_vae.py, `find_vae_near_checkpoint`), as `name.vae.pt` or `name.safetensors`."""
        known = (file for file in self._names("stable-diffusion").files if file.name == checkpoint)
        file = next(known, KnownFile(checkpoint))
        beside = [vae for vae in self._names("vae").files if _vae_stems(vae) & _vae_stems(file)]
        if not beside:
            return None
        # By the name on the shelf before an alias, then from the same folder, and safetensors before pickles.
        nearest = min(
            beside,
            key=lambda vae: (
                _vae_stem(vae.name) != _vae_stem(checkpoint),
                vae.folder != file.folder,
                not vae.name.endswith(".safetensors"),
                vae.name,
            ),
        )
        return ModelKey("vae", nearest.name)

    def files_meant(self, kind: Kind, text: str) -> tuple[str, ...]:
        """The names of the files of a kind that a person may mean by `text`: those on the shelf that it spells (several
        for an alias of several), each also by the names that it had before, and those that need not be there any more
        (`spelling.possible_names`). For searches; a job gets the one file of `resolve`."""
        names = self._names(kind)
        found: tuple[str, ...]
        try:
            one = names.find(text)
            found = (one,) if one else ()
        except Ambiguous as several:
            found = several.names
        former = [alias for name in found for alias in names.former_names(name)]
        return tuple(dict.fromkeys((*found, *former, *possible_names(text))))

    def engine_files(self, purpose: Purpose) -> list[str]:
        """The names of the files for a purpose, in their order, at most MOST_FOR_A_PURPOSE; none when there are
        none."""
        for fresh in (False, True):
            if names := [file.name for file in self._names(ENGINE_FILE, fresh).files if file.purpose == purpose]:
                return sorted(names)[:MOST_FOR_A_PURPOSE]
        return []

    def objects(self, keys: Iterable[ModelKey]) -> dict[str, dict[str, str]]:
        """The S3 keys of the objects of files that were found, by kind and name; without those that stand in the
        place that their name tells."""
        found: dict[str, dict[str, str]] = {}
        for key in keys:
            file = self._names(key.kind).named(key.name)
            if file and file.object:
                found.setdefault(key.kind, {})[key.name] = file.object
        return found

    def facts(self, keys: Iterable[ModelKey]) -> dict[ModelKey, FileFacts]:
        """What the shelf knows of the bytes of files that were found."""
        files = {key: self._names(key.kind).named(key.name) for key in keys}
        return {key: FileFacts(file.size, file.etag, file.sha256) for key, file in files.items() if file}

    def _find(self, mention: Mention, objects: Mapping[ModelKey, str]) -> ModelKey | None:
        name = upscalers.file_of(mention.name) if "upscaler" in mention.kinds else mention.name
        for fresh in (False, True):
            for kind in mention.kinds:
                at = objects.get(ModelKey(kind, mention.name))
                if at and (used := self._stored_at(at, kind, fresh)):
                    return used
                if file := self._names(kind, fresh).find(name):
                    return ModelKey(kind, file)
        return None

    def _stored_at(self, at: str, kind: Kind, fresh: bool) -> ModelKey | None:
        """The file whose object has that S3 key."""
        for file in self._names(kind, fresh).files:
            key = ModelKey(kind, file.name)
            if at == (file.object or key.default_object):
                return key
        return None

    def _names(self, kind: Kind, fresh: bool = False) -> FileNames:
        now = self._monotonic()
        known = self._known.get(kind)
        if known is None or now - known[0] > CACHE_SECONDS or (fresh and known[0] < now):
            known = (now, FileNames(self._registry.known_files(kind)))
            self._known[kind] = known
        return known[1]


def _says(text: str, name: str) -> bool:
    """Whether a name stands in a text, not within a longer word; names may begin and end with anything."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _vae_stems(file: KnownFile) -> set[str]:
    """What a file is called, without extension: its name, and the file names among its aliases."""
    others = [alias.rpartition("/")[2] for alias in file.aliases if stem(alias) != alias]
    return {_vae_stem(name) for name in (file.name, *others)}


def _vae_stem(name: str) -> str:
    return folded(stem(name)).removesuffix(".vae")


def _hint(mention: Mention) -> str:
    if "upscaler" in mention.kinds and (file := upscalers.file_of(mention.name)) != mention.name.strip():
        return f"{file} would be it"
    return ""
