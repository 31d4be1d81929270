"""The local stack: MiniStack with the deployed stage in it, the SageMaker simulator, the worker, and the page."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from darkroom_client import Darkroom
from layers.page import build
from local import deploy, processes, seed
from local.home import ROOT, Home, Record
from local.parts import HEALTH, PORTS, PREVIEW, STOP_SECONDS, TITLES, api, commands, environment, python, url
from local.seed import TINY

Say = Callable[[str], None]
ENGINES = (PREVIEW, "diffusers")
"""What the worker can paint with: without models, or with real ones."""


@dataclass(frozen=True)
class Stack:
    """A running stack: base URLs of its parts, the API's URL, and the outputs of the deployed stage."""

    aws: str
    sagemaker: str
    worker: str
    page: str
    api: str
    outputs: dict[str, str]


def running(home: Home) -> Stack | None:
    """The stack if all its parts run and the stage is deployed, otherwise None."""
    record = home.read()
    return _stack(record) if _alive(record) == set(PORTS) and record.outputs else None


def partly_running(home: Home) -> bool:
    """Whether any part runs."""
    return bool(_alive(home.read()))


@dataclass(frozen=True)
class Painter:
    """What the worker paints with: an engine, and a WebUI's `models` folder for one that needs model files."""

    engine: str = PREVIEW
    models: Path | None = None

    @classmethod
    def asked_for(cls) -> "Painter":
        """The one that `DARKROOM_ENGINE` and `DARKROOM_MODELS` name. Raises StackError for an engine or a folder that
        is not there."""
        engine = os.environ.get("DARKROOM_ENGINE") or PREVIEW
        if engine not in ENGINES:
            raise processes.StackError(f"There is no engine {engine}; there are: {', '.join(ENGINES)}.")
        models = os.environ.get("DARKROOM_MODELS")
        folder = Path(models).expanduser().resolve() if models else None
        if folder and not folder.is_dir():
            raise processes.StackError(f"MODELS: there is no folder {folder}.")
        return cls(engine, folder)


def up(home: Home, say: Say, painter: Painter | None = None) -> Stack:
    """Start the parts that do not run, deploy the stage if its sources changed, and seed it; returns the stack. Raises
    StackError."""
    _choose(home, painter or Painter(), say)
    _build_page(home, say)
    try:
        _make_ready(home, say)
    except processes.EndedError:
        # Another program may have taken a port after it was chosen.
        say("a part ended at once; trying other ports")
        down(home)
        _make_ready(home, say, usual_ports=False)
    stack = _stack(home.read())
    say("seeding a checkpoint and an endpoint")
    key = seed.admin_key(stack.outputs, stack.aws)
    home.write_key(key)
    with Darkroom(stack.api, key) as darkroom:
        seed.seed(stack.outputs, stack.aws, darkroom, _models(home.read()))
    return stack


def _choose(home: Home, painter: Painter, say: Say) -> None:
    """Write down what the worker paints with; a worker that runs with another engine is stopped."""
    record = home.read()
    models = painter.models
    if painter.engine != PREVIEW and models is None:
        models = _tiny_models(home, say)
    chosen = (painter.engine, str(models) if models else None)
    if chosen == (record.engine, record.models):
        return
    running = record.processes.pop("worker", None)
    if running:
        processes.stop(running, STOP_SECONDS["worker"])
    record.engine, record.models = chosen
    home.write(record)


def _build_page(home: Home, say: Say) -> None:
    """Write down which build of the page is served; the server of an older one is stopped. Raises StackError."""
    record = home.read()
    say("building the page")
    try:
        folder = str(build.built().folder)
    except build.PageError as error:
        raise processes.StackError(str(error)) from error
    if folder == record.page:
        return
    if running := record.processes.pop("page", None):
        processes.stop(running, STOP_SECONDS["page"])
    record.page = folder
    home.write(record)


def _tiny_models(home: Home, say: Say) -> Path:
    """A folder with tiny random models, for people without weights; made once."""
    folder = home.folder("tiny-models") / "models"
    if not (folder / "Stable-diffusion" / f"{TINY}.safetensors").is_file():
        say("making tiny random models, as no MODELS folder is given")
        command = [python("diffusers"), "-m", "worker.engines.diffusers.tiny", str(folder)]
        paths = os.pathsep.join([str(ROOT), str(ROOT / "shared")])
        variables = {**os.environ, "PYTHONPATH": paths}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=variables)  # noqa: S603 - the command is our own
    return folder


def _models(record: Record) -> Path | None:
    return Path(record.models) if record.models else None


def _make_ready(home: Home, say: Say, usual_ports: bool = True) -> None:
    """Start all parts, with this checkout's stage deployed."""
    record = home.read()
    if "aws" in record.processes and "aws" not in _alive(record):
        # MiniStack writes its state only when it is stopped, so one that was killed has lost some of it.
        record.deployed = None
    if record.deployed != deploy.digest(*deploy.SOURCES):
        _deploy(home, say, usual_ports)
    _start(home, say, usual_ports=usual_ports)
    if not _answers(_stack(home.read())):
        _deploy(home, say, usual_ports)
        _start(home, say, usual_ports=usual_ports)


def _deploy(home: Home, say: Say, usual_ports: bool) -> None:
    """Deploy into a MiniStack that does not enforce permissions, because it would refuse calls of the CDK that AWS
    allows. Then stop it, so that it writes its state."""
    down(home)
    try:
        _start(home, say, parts=("aws",), enforced=False, usual_ports=usual_ports)
        record = home.read()
        sources = deploy.digest(*deploy.SOURCES)
        record.outputs = deploy.deploy(home, environment(record), say)
        record.deployed = sources
        home.write(record)
    finally:
        down(home)


def down(home: Home) -> list[str]:
    """Stop every running part; returns their names. MiniStack writes its state when it is stopped."""
    record = home.read()
    stopped: list[str] = []
    alive = _alive(record)
    if "aws" in record.processes and "aws" not in alive:
        record.deployed = None
    for name in ("page", "worker", "sagemaker", "aws"):
        process = record.processes.pop(name, None)
        if process and name in alive:
            processes.stop(process, STOP_SECONDS[name])
            stopped.append(name)
    if record.ports:
        home.write(record)
    _empty_temporary(home)
    return stopped


def _empty_temporary(home: Home) -> None:
    """Remove what the parts left in their folder for temporary files: MiniStack leaves 25 MB for each process of a
    function. No part runs now."""
    shutil.rmtree(home.temporary, ignore_errors=True)


def kill(home: Home, name: str) -> None:
    """Kill a part, as a crash would: at once, without finishing or writing anything."""
    process = processes.find(home.read().processes[name])
    if process is not None:
        process.kill()
        process.wait(10)


def start_again(home: Home, name: str) -> None:
    """Start a part that ended, on the same port as before, while the others go on; waits until it answers."""
    record = home.read()
    command, extra = commands(home, record, enforced=True)[name]
    _launch(home, record, name, command, extra)
    _wait(home, record, name)


def stop(home: Home, name: str) -> None:
    """Stop one part, as `down` stops all of them, while the others go on."""
    processes.stop(home.read().processes[name], STOP_SECONDS[name])


def functions(home: Home) -> list[psutil.Process]:
    """The processes in which functions run now. MiniStack starts a new one when one is gone."""
    found = processes.find(home.read().processes["aws"])
    return found.children() if found else []


def _alive(record: Record) -> set[str]:
    return {name for name, process in record.processes.items() if processes.find(process)}


def _start(
    home: Home, say: Say, *, usual_ports: bool, parts: Sequence[str] = tuple(PORTS), enforced: bool = True
) -> None:
    """Start those of `parts` that do not run; `enforced` says whether MiniStack enforces permissions."""
    record = home.read()
    code = deploy.digest("worker", "local", "shared")
    alive = _alive(record)
    if alive != set(PORTS) or record.code != code:
        # A part gets the ports of the others when it starts, and runs the code as it was then. So all start again.
        for name in alive:
            processes.stop(record.processes[name], STOP_SECONDS[name])
        _empty_temporary(home)
    record.code = code
    alive = _alive(record)
    for name, usual in PORTS.items():
        if name not in alive:
            taken = {port for other, port in record.ports.items() if other != name}
            preferred = record.ports.get(name, usual) if usual_ports else 0
            record.ports[name] = processes.free_port(preferred, taken)
    for name, (command, extra) in commands(home, record, enforced).items():
        if name in alive or name not in parts:
            continue
        say(f"starting {TITLES[name]} on port {record.ports[name]}")
        _launch(home, record, name, command, extra)
    for name in parts:
        _wait(home, record, name)


def _launch(home: Home, record: Record, name: str, command: list[str], extra: Mapping[str, str | None]) -> None:
    own = {"TMPDIR": str(home.folder(home.temporary.name)), **extra}
    variables = {key: value for key, value in {**environment(record), **own}.items() if value is not None}
    record.processes[name] = processes.start(command, home.log(name), variables)
    home.write(record)


def _wait(home: Home, record: Record, name: str) -> None:
    health = url(record, name) + HEALTH[name]
    processes.wait_until_up(TITLES[name], health, record.processes[name], home.log(name), seconds=60)


def _stack(record: Record) -> Stack:
    aws, sagemaker, worker, page = (url(record, name) for name in ("aws", "sagemaker", "worker", "page"))
    return Stack(aws, sagemaker, worker, page, api(record), record.outputs)


def _answers(stack: Stack) -> bool:
    """Whether the deployed API exists: it then answers 401 without a key. A MiniStack that was killed may have lost
    it."""
    try:
        return httpx.get(f"{stack.api}/ping", timeout=20).status_code == 401
    except httpx.TransportError:
        return False
