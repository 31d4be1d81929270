"""Files that only the user whose program writes them can read."""

import os
import threading
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write a text with mode 0600; at no time can anybody else read it, or anybody read half of it. A folder that is
    made for it has mode 0700."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    # A process that had this number may have left one.
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
