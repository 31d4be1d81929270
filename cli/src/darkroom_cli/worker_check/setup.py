"""Puts a check together from its options: the place, the model files, the worker."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from darkroom_cli.worker_check import contract, places
from darkroom_cli.worker_check.calls import Child, Worker
from darkroom_cli.worker_check.places import Place
from darkroom_cli.worker_check.session import Job, Options, Session
from darkroom_client import Failure

PLACEHOLDER = "placeholder.safetensors"
EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
INTERRUPTED_SECONDS = 5.0
"""What the worker gets to end after Ctrl-C."""
FOLDERS = {"stable-diffusion": "models/stable-diffusion", "lora": "models/lora", "vae": "models/vae"}


@dataclass(frozen=True)
class Where:
    """Where S3 and SQS are: on this machine, or (with a `bucket`) in AWS."""

    listen: str = "127.0.0.1"
    port: int = 9000
    address: str | None = None
    bucket: str | None = None
    queue: str | None = None
    region: str | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Files:
    """Model files: paths, or S3 URIs. `engine` are `PURPOSE=FILE`."""

    checkpoint: str | None = None
    vae: str | None = None
    lora: Sequence[str] = ()
    engine: Sequence[str] = ()


@contextmanager
def place(where: Where) -> Iterator[Place]:
    """S3 and SQS as the options say. Raises Failure when they cannot be reached."""
    if where.bucket:
        with places.of_aws(where.bucket, where.queue, where.region, where.profile) as found:
            yield found
        return
    if where.queue:
        raise Failure("--queue goes with --bucket: without a bucket of your own, S3 and SQS run on this machine.")
    with places.on_this_machine(where.listen, where.port, where.address) as found:
        yield found


@contextmanager
def session(
    url: str, found: Place, options: Options, files: Files, command: Sequence[str], stop: str | None, timeout: float
) -> Iterator[Session]:
    """A session with its worker, which is started when there is a command. At the end the worker that was started is
    ended, and in a bucket of the person's own everything is deleted that the check stored."""
    with ExitStack() as stack:
        made = Session(Worker(url, timeout, stop_command=stop), found, options, _checkpoint(found, files))
        stack.callback(lambda: None if _is_local(found) else found.tidy(made.jobs))
        made.models.update({kind: models for kind, models in _models(found, files).items() if models})
        made.files.update(_engine_files(found, files))
        if command:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="darkroom-check-"))) / "worker.log"
            without = places.LEADS_ELSEWHERE if _is_local(found) else ()
            made.worker.child = Child.started(command, variables(found, options), without, log)
        stack.callback(made.worker.close)
        try:
            yield made
        except KeyboardInterrupt:
            if made.worker.child:
                made.worker.child.end(INTERRUPTED_SECONDS)
            raise


def variables(found: Place, options: Options) -> dict[str, str]:
    """The variables that the container needs."""
    return {**found.variables, "DARKROOM_JOBS_AT_ONCE": str(options.at_once)}


def _is_local(found: Place) -> bool:
    return "AWS_ENDPOINT_URL" in found.variables


def _checkpoint(found: Place, files: Files) -> Job:
    if files.checkpoint:
        return _model(found, files.checkpoint, "stable-diffusion")
    key = f"{FOLDERS['stable-diffusion']}/darkroom-check/{PLACEHOLDER}"
    found.s3.put_object(Bucket=found.models, Key=key, Body=EMPTY_SAFETENSORS)
    if not _is_local(found):
        found.stored.add(key)
    return found.model(f"s3://{found.models}/{key}")


def _models(found: Place, files: Files) -> dict[str, list[Job]]:
    loras = [_model(found, name, "lora") for name in files.lora]
    return {"vae": [_model(found, files.vae, "vae")] if files.vae else [], "lora": loras}


def _engine_files(found: Place, files: Files) -> dict[str, list[Job]]:
    told: dict[str, list[Job]] = {}
    for given in files.engine:
        purpose, equals, name = given.partition("=")
        if not equals or purpose not in contract.CAPTIONED:
            purposes = " or ".join(contract.CAPTIONED)
            raise Failure(f"--engine-file {given}: write PURPOSE=FILE, with the purpose {purposes}.")
        told.setdefault(purpose, []).append(_model(found, name, f"files/{purpose}"))
    return told


def _model(found: Place, name: str, kind: str) -> Job:
    if name.startswith("s3://"):
        return found.model(name)
    path = Path(name).expanduser()
    if not path.is_file():
        raise Failure(f"{name} is neither a file nor an S3 URI (s3://bucket/key).")
    if not _is_local(found):
        raise Failure(f"{name}: with --bucket, name model files as s3://bucket/key, where the worker may read them.")
    return found.put_model(path, f"{FOLDERS.get(kind, kind)}/{path.name}")


def shell_lines(told: dict[str, str]) -> list[str]:
    """The variables as a shell takes them."""
    import shlex

    return [f"export {name}={shlex.quote(value)}" for name, value in told.items()]


def docker_options(told: dict[str, str]) -> str:
    """The variables as options of `docker run`."""
    import shlex

    return " ".join(f"-e {name}={shlex.quote(value)}" for name, value in told.items())


def as_text(told: dict[str, str]) -> str:
    """The variables as a file for `docker run --env-file`."""
    return "".join(f"{name}={value}\n" for name, value in told.items())
