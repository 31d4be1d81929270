"""The error of a job that a person can correct."""

from pathlib import Path

MAX_MESSAGE = 2_000
"""Characters of a message: it may name what the job named, and Darkroom keeps no more."""
FILES_MISSING = "files_missing"
"""The code of a job whose engine needs files that no job names, and that are not on the shelf."""
UNREADABLE = "model_unreadable"
"""The code of a file that is broken, or whose format may not be read here."""


class JobError(Exception):
    """Ends a job without a picture; becomes the answer `{"error": {"code", "message"}}`.

    `code` is a stable snake_case word (they are listed in `docs/worker-contract.md`), `message` a sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message[:MAX_MESSAGE]


class TryAgain(JobError):
    """Ends a job that may succeed when it is begun anew, which is done once before its owner hears of it."""


class DamagedCopy(TryAgain):
    """The copy at `path` of a model file is not what was fetched."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(UNREADABLE, f"The copy of '{name}' on this instance is damaged. Submit the job again.")
        self.path = path
