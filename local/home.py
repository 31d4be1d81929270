"""Where the local stack keeps its state: `.darkroom/` beside the Makefile, or `DARKROOM_HOME`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Record:
    """What the stack remembers between commands.

    `ports` and `processes` go by the part's name; a process is its pid and when it started (a pid is
    given out again, the pair is not). `deployed` is the digest of what was deployed, `code` that of what
    the processes run, `outputs` the outputs of both stacks.
    """

    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, tuple[int, float]] = field(default_factory=dict)
    deployed: str | None = None
    code: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Home:
    """The folder and the files in it."""

    path: Path

    @classmethod
    def here(cls) -> "Home":
        """The folder of this checkout, or the one `DARKROOM_HOME` names; made when it is not there."""
        path = Path(os.environ.get("DARKROOM_HOME") or ROOT / ".darkroom").resolve()
        path.mkdir(parents=True, exist_ok=True)
        # MiniStack keeps the admin key in its state, too.
        path.chmod(0o700)
        return cls(path)

    @property
    def key_file(self) -> Path:
        """The first admin key, readable by its owner alone."""
        return self.path / "admin-key"

    def log(self, name: str) -> Path:
        """The log of one part."""
        return self.folder("logs") / f"{name}.log"

    def folder(self, name: str) -> Path:
        """A folder inside, made when it is not there."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def read(self) -> Record:
        """What was remembered; an empty record when there is none."""
        try:
            written = json.loads(self._record.read_text())
        except FileNotFoundError:
            return Record()
        processes = {name: (int(pid), float(began)) for name, (pid, began) in written.pop("processes").items()}
        return Record(**written, processes=processes)

    def write(self, record: Record) -> None:
        """Remember; a half-written record is never seen."""
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(asdict(record), indent=2))
        draft.replace(self._record)

    def write_key(self, secret: str) -> None:
        """Keep the admin key with mode 0600 from its first byte on."""
        self.key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)

    @property
    def _record(self) -> Path:
        return self.path / "stack.json"
