"""The folder with the state of the local stack: `.darkroom/` in this checkout, or `DARKROOM_HOME`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Record:
    """What is stored between commands.

    `ports` and `processes` have an entry for each part, by its name. A process is its pid and the time when it started,
    because the system reuses pids. `deployed` is the digest of the deployed sources, `code` that of the sources that
    the processes run, `outputs` are the outputs of both stacks. `engine` is what the worker paints with, `models` the
    folder with its model files, None for none. `page` is the folder with the build of the page that is served.
    """

    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, tuple[int, float]] = field(default_factory=dict)
    deployed: str | None = None
    code: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    engine: str = "preview"
    models: str | None = None
    page: str | None = None


@dataclass(frozen=True)
class Home:
    """The folder and the files in it."""

    path: Path

    @classmethod
    def here(cls) -> "Home":
        """The folder of this checkout, or the one that `DARKROOM_HOME` names; created if necessary."""
        path = Path(os.environ.get("DARKROOM_HOME") or ROOT / ".darkroom").resolve()
        path.mkdir(parents=True, exist_ok=True)
        # MiniStack's state contains the admin key.
        path.chmod(0o700)
        return cls(path)

    @property
    def key_file(self) -> Path:
        """The first admin key, readable by its owner alone."""
        return self.path / "admin-key"

    @property
    def temporary(self) -> Path:
        """The folder for temporary files of the parts. It is empty when none runs."""
        return self.path / "tmp"

    def log(self, name: str) -> Path:
        """The log file of a part."""
        return self.folder("logs") / f"{name}.log"

    def folder(self, name: str) -> Path:
        """A folder inside this folder, created if necessary."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def read(self) -> Record:
        """The stored record; an empty one when there is none."""
        try:
            written = json.loads(self._record.read_text())
        except FileNotFoundError:
            return Record()
        processes = {name: (int(pid), float(started)) for name, (pid, started) in written.pop("processes").items()}
        return Record(**written, processes=processes)

    def write(self, record: Record) -> None:
        """Store a record; nobody can read it half written."""
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(asdict(record), indent=2))
        draft.replace(self._record)

    def write_key(self, secret: str) -> None:
        """Write the admin key to its file, which nobody else can read at any time (mode 0600)."""
        self.key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)

    @property
    def _record(self) -> Path:
        return self.path / "stack.json"
