"""The extra networks that a prompt names, found on the shelf.

The syntax is the WebUI's own (its modules/extra_networks.py and textual inversion): `<lora:name:0.8>`, `<lyco:…>` and
`<hypernet:…>` name a file without its extension. An embedding is named by its bare name, in upper or lower case.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from darkroom.checkpoints.model import TAGS, Kind, ModelKey
from darkroom.checkpoints.ports import ModelRegistry
from darkroom.errors import Invalid

CACHE_SECONDS = 30.0
MAX_TAGS = 40
_TAG = re.compile(rf"<({'|'.join(TAGS)}):([^:<>]{{1,200}})(?::[^<>]*)?>", re.IGNORECASE)


@dataclass(frozen=True)
class ResolvedNetworks:
    """The files that a prompt names: by tags, as embeddings, and (`missing`) by tags for which no file is active."""

    tagged: tuple[ModelKey, ...] = ()
    embeddings: tuple[ModelKey, ...] = ()
    missing: tuple[ModelKey, ...] = ()


class Networks:
    """Finds the files that prompts name. The names of all embeddings are cached for `CACHE_SECONDS`."""

    def __init__(self, registry: ModelRegistry, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` gives seconds for the age of the cache."""
        self._registry = registry
        self._monotonic = monotonic
        self._embeddings: tuple[float, dict[str, str]] | None = None

    def resolve(self, texts: Iterable[str]) -> ResolvedNetworks:
        """The files that these prompts name. One Query for each tag, and one for all embeddings when the cache is old.

        Raises Invalid `too_many_models` for more than `MAX_TAGS` different tags.
        """
        text = "\n".join(texts)
        tags = dict.fromkeys((TAGS[kind.lower()], name.strip()) for kind, name in _TAG.findall(text))
        if len(tags) > MAX_TAGS:
            raise Invalid("too_many_models", f"A prompt may call for at most {MAX_TAGS} networks, not {len(tags)}.")
        found = {tag: self._file_of(*tag) for tag in tags}
        words = _TAG.sub(" ", text)
        return ResolvedNetworks(
            tagged=tuple(key for key in found.values() if key),
            embeddings=tuple(ModelKey("embedding", name) for name in self._embeddings_in(words)),
            missing=tuple(ModelKey(kind, name) for (kind, name), key in found.items() if key is None),
        )

    def _file_of(self, kind: Kind, name: str) -> ModelKey | None:
        rows = self._registry.named(kind, name)
        return next((row.key for row in rows if row.status == "active"), None)

    def _embeddings_in(self, words: str) -> list[str]:
        if not words.strip():
            return []
        lowered = words.lower()
        return [
            file
            for name, file in self._known_embeddings().items()
            # Not within a longer word. `\b` would not do: a name may begin or end with any character.
            if name.lower() in lowered and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words, re.IGNORECASE)
        ]

    def _known_embeddings(self) -> dict[str, str]:
        now = self._monotonic()
        if self._embeddings is None or now - self._embeddings[0] > CACHE_SECONDS:
            names = self._registry.active_names("embedding")
            self._embeddings = (now, {name.rpartition(".")[0]: name for name in names})
        return self._embeddings[1]
