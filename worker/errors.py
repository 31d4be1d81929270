"""The error of a job that a person can correct."""

MAX_MESSAGE = 2_000
"""Characters of a message: it may name what the job named, and Darkroom keeps no more."""
FILES_MISSING = "files_missing"
"""The code of a job whose engine needs files that no job names, and that are not on the shelf."""


class JobError(Exception):
    """Ends a job without a picture; becomes the answer `{"error": {"code", "message"}}`.

    `code` is a stable snake_case word (they are listed in `docs/worker-contract.md`), `message` a sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message[:MAX_MESSAGE]
