"""Lists of words, one a line: what fits a picture, a model's vocabulary, or its tags. Needs no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from worker.errors import UNREADABLE, JobError
from worker.open_files import OpenFile

LIST = ".txt"
MOST_BYTES = 32 * 1024**2
_BEGIN, _END = "[CLS]", "[SEP]"
_TOP = re.compile(r"\.top(\d+)\.")


@dataclass(frozen=True)
class WordList:
    """A file with a word or phrase in each line; `name` is what people call it."""

    name: str
    lines: tuple[str, ...]

    @property
    def is_vocabulary(self) -> bool:
        """Whether it is the vocabulary of a model of language, by the words that each of those has."""
        return _BEGIN in self.lines and _END in self.lines

    @property
    def category(self) -> str:
        """What the WebUI calls the list: the file's name without its extension."""
        return PurePath(self.name).stem

    @property
    def top(self) -> int:
        """How many of its lines a description gets: three for `flavors.top3.txt`, else one (the WebUI's
        modules/interrogate.py)."""
        found = _TOP.search(self.name)
        return int(found[1]) if found else 1


def read(path: Path, name: str) -> WordList:
    """The list in the file at `path`, without empty lines. JobError `model_unreadable` for a file that is no text."""
    try:
        with OpenFile.of(path) as file:
            if file.size > MOST_BYTES:
                raise ValueError("too large")
            text = file.read(0, file.size, name).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        message = f"The file '{name}' is no list of words in UTF-8. Upload it again."
        raise JobError(UNREADABLE, message) from error
    lines = (line.strip() for line in text.split("\n"))
    return WordList(name, tuple(line for line in lines if line))


def categories(lists: Sequence[WordList], skipped: Sequence[str]) -> list[WordList]:
    """The lists whose lines are compared with a picture, by name, without those that the setting
    `interrogate_clip_skip_categories` names."""
    found = [each for each in lists if not each.is_vocabulary and each.category not in skipped]
    return sorted(found, key=lambda each: each.name)
