"""The spellings of a model file's name that the WebUI takes, and the file that each means.

From the WebUI's modules/sd_models.py (`CheckpointInfo`, `get_closet_checkpoint_match`) and extensions-builtin/Lora: a
title has a folder before the name and a hash in brackets behind it, the extension may be left out, a hash alone is
enough, and a LoRA may be called by the name that its metadata give (`ss_output_name`). Beyond the WebUI, names match in
any case and however their accents are encoded: one shelf serves machines that write them differently.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from unicodedata import normalize

from darkroom.checkpoints.model import PICKLES, SAFE

EXTENSIONS = SAFE + PICKLES
_OLD_HASH = re.compile(r"[0-9a-f]{8}")
_HASH = re.compile(r"[0-9a-f]{10}|[0-9a-f]{12}|[0-9a-f]{64}")
"""The digits of a file's SHA-256 that the WebUI shows: ten behind a checkpoint, twelve of a LoRA, or all."""


def composed(text: str) -> str:
    """A text with its accents in one character each (Unicode normal form C): a Mac writes two."""
    return normalize("NFC", text)


def folded(text: str) -> str:
    """A text as names are compared: composed and in any case."""
    return composed(composed(text).casefold())


def stem(name: str) -> str:
    """A file name without the extension of a model file; any other dot belongs to the name."""
    low = name.lower()
    return next((name[: -len(end)] for end in EXTENSIONS if low.endswith(end) and len(name) > len(end)), name)


def _without_hash(text: str) -> tuple[str, str | None]:
    """A name without the hash in brackets behind it, and that hash; None when there are no brackets at the end."""
    name, bracket, digits = text.removesuffix("]").rpartition("[")
    if not text.endswith("]") or not bracket or "]" in digits:
        return text, None
    return name.rstrip(), digits


def possible_names(text: str) -> tuple[str, ...]:
    """The file names that a spelling may mean, whether or not such files are there: as it is written, without folder
    and hash, and with each extension if it has none; each also with its accents apart, as jobs of earlier versions
    named files from a Mac."""
    path = _without_hash(composed(text).strip())[0].replace("\\", "/")
    written = [name for name in dict.fromkeys((composed(text), path, path.rpartition("/")[2])) if name]
    ends = [name + end for name in written if stem(name) == name for end in EXTENSIONS]
    return tuple(dict.fromkeys(normalize(form, name) for form in ("NFC", "NFD") for name in (*written, *ends)))


@dataclass(frozen=True)
class KnownFile:
    """A model file that is there. `folder` is where it lay in the WebUI, with slashes, empty right in the folder of its
    kind, None when nobody said;
    `aliases` are other names it is called by; `sha256` are the hex digits of the whole file, `old_hash` the eight of
    `old_hash_of`; `object` is where its bytes are stored, None where its name tells; `purpose` is what an engine needs
    it for, None for a file that jobs name; `size` and `etag` are those of its object."""

    name: str
    folder: str | None = None
    aliases: tuple[str, ...] = ()
    sha256: str | None = None
    old_hash: str | None = None
    object: str | None = None
    purpose: str | None = None
    size: int | None = None
    etag: str | None = None


OLD_HASH_START, OLD_HASH_BYTES = 0x100000, 0x10000
"""The bytes of a file that its old hash is made of: 64 KB behind the first megabyte."""


def old_hash_of(content: bytes) -> str:
    """The WebUI's old hash of a model file (modules/sd_models.py, `model_hash`; ControlNet still shows it), made of
    OLD_HASH_BYTES bytes from OLD_HASH_START on, or as many as the file has there."""
    return hashlib.sha256(content).hexdigest()[:8]


class Ambiguous(Exception):
    """A name means several files; `names` are theirs."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


FORMER_NAMES = 8
"""How many of a file's former names a search looks for: each may be a read of its own."""


class FileNames:
    """The files of one kind by every spelling."""

    def __init__(self, files: Iterable[KnownFile]) -> None:
        self.files = tuple(files)

    def find(self, text: str) -> str | None:
        """The name of the file that `text` means, None when it means none. Raises Ambiguous.

        A hash behind the name decides nothing as long as the name is found: files get new hashes when their
        metadata change. It counts only where the name means no file.
        """
        whole = composed(text).strip()
        bare, behind = _without_hash(whole)
        for spelled in dict.fromkeys((whole, bare)):
            try:
                if found := self._by_name(spelled):
                    return found
            except Ambiguous as several:
                if behind is not None and (meant := self._by_hash(behind)) in several.names:
                    return meant
                raise
        return self._by_hash(bare) or (self._by_hash(behind) if behind is not None else None)

    def named(self, name: str) -> KnownFile | None:
        """The file with exactly this name."""
        return next((file for file in self.files if file.name == name), None)

    def former_names(self, name: str) -> tuple[str, ...]:
        """The file names among the aliases of the file with exactly this name, the last eight: what it was called
        before, without what another file is called today."""
        aliases = next((file.aliases for file in self.files if file.name == name), ())
        return tuple(alias for alias in aliases if stem(alias) != alias and alias not in self._names)[-FORMER_NAMES:]

    def _by_name(self, spelled: str) -> str | None:
        folder, _, name = spelled.replace("\\", "/").rpartition("/")
        if not name:
            return None
        names = (*self._names.get(name, ()), *self._names_any_case.get(folded(name), ()))
        aliases = (self._aliases.get(name, ()), self._aliases_any_case.get(folded(name), ()))
        if not folder.strip("/"):
            return names[0].name if names else _one_of(*aliases)
        # A file that is known to lie in another folder is not meant, whatever its name is.
        exact = [file for file in names if _lies_in(file, folder)]
        if exact:
            return exact[0].name
        path = folded(f"{folder.strip('/')}/{name}")
        return (
            _one_of(*([file for file in files if _lies_in(file, folder)] for files in aliases))
            or _one_of(self._aliases_any_case.get(path, ()))
            or next((file.name for file in names if file.folder is None), None)
            or _one_of(*([file for file in files if file.folder is None] for files in aliases))
        )

    def _by_hash(self, digits: str) -> str | None:
        low = digits.strip().lower()
        if _OLD_HASH.fullmatch(low):
            found = [file for file in self.files if file.old_hash == low]
        elif _HASH.fullmatch(low):
            found = [file for file in self.files if file.sha256 and file.sha256.startswith(low)]
        else:
            return None
        return found[0].name if len({file.sha256 for file in found}) == 1 else None

    @cached_property
    def _names(self) -> dict[str, tuple[KnownFile, ...]]:
        return _table((key, file) for file in self.files for key in (composed(file.name), stem(composed(file.name))))

    @cached_property
    def _names_any_case(self) -> dict[str, tuple[KnownFile, ...]]:
        return _table((key, file) for file in self.files for key in (folded(file.name), folded(stem(file.name))))

    @cached_property
    def _aliases(self) -> dict[str, tuple[KnownFile, ...]]:
        return _table((composed(alias), file) for file in self.files for alias in _all_aliases(file))

    @cached_property
    def _aliases_any_case(self) -> dict[str, tuple[KnownFile, ...]]:
        return _table((folded(alias), file) for file in self.files for alias in _all_aliases(file))


def _all_aliases(file: KnownFile) -> Iterable[str]:
    """The aliases of a file, with and without extension, and its `model_name`s: the folder in them is written with an
    underscore (the WebUI's `name_for_extra`)."""
    for alias in file.aliases:
        yield from {alias, stem(alias)}
    if file.folder:
        for name in (file.name, *file.aliases):
            yield f"{file.folder.replace('/', '_')}_{stem(name)}"


def _table(pairs: Iterable[tuple[str, KnownFile]]) -> dict[str, tuple[KnownFile, ...]]:
    """Files by spelling, each once, the one that is preferred first: safetensors, then by name."""
    table: dict[str, dict[str, KnownFile]] = {}
    for key, file in pairs:
        table.setdefault(key, {})[file.name] = file
    return {key: tuple(sorted(files.values(), key=_preference)) for key, files in table.items()}


def _preference(file: KnownFile) -> tuple[bool, str]:
    return not file.name.lower().endswith(".safetensors"), file.name


def _lies_in(file: KnownFile, folder: str) -> bool:
    """Whether a file is known to lie in that folder."""
    return file.folder is not None and folded(file.folder.strip("/")) == folded(folder.strip("/"))


def _one_of(*tables: Sequence[KnownFile]) -> str | None:
    """The file of the first of these that has any. Raises Ambiguous when that has several."""
    found = next((files for files in tables if files), ())
    if len(found) > 1:
        raise Ambiguous(tuple(file.name for file in found))
    return found[0].name if found else None
