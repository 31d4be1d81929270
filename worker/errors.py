"""What ends a job without a picture, told so that a person can act on it."""


class JobError(Exception):
    """Becomes the answer `{"error": {"code", "message"}}`.

    `code` is a stable snake_case word (they are listed in `docs/worker-contract.md`), `message` a sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
