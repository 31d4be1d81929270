"""The parts of the local stack: their ports, their commands, and the environment that they run in."""

import os
import sys
from collections.abc import Mapping

from local.home import ROOT, Home, Record
from local.processes import StackError
from local.seed import REGION

PREVIEW = "preview"
PORTS = {"aws": 4566, "sagemaker": 4567, "worker": 4568, "page": 4569}
ACCOUNT = "000000000000"
TITLES = {"aws": "MiniStack", "sagemaker": "The SageMaker simulator", "worker": "The worker", "page": "The page"}
STOP_SECONDS = {"aws": 30, "sagemaker": 10, "worker": 25, "page": 5}
"""How many seconds a part has to end by itself: MiniStack then writes its state, and the worker finishes its step."""
HEALTH = {"aws": "/_ministack/health", "sagemaker": "/_simulator/health", "worker": "/ping", "page": "/"}
_BUCKETS = ("PicturesBucket", "ModelsBucket")
"""The outputs that name the buckets from which the page takes pictures, and to which it sends files."""


def environment(record: Record) -> dict[str, str]:
    """The environment of everything that calls the local AWS, and of MiniStack itself: the functions that MiniStack
    runs inherit it, and so call the simulator in place of SageMaker."""
    urls = {name: url(record, name) for name in PORTS}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "AWS_ENDPOINT_URL": urls["aws"],
        "AWS_ENDPOINT_URL_S3": urls["aws"],
        "AWS_ENDPOINT_URL_SAGEMAKER": urls["sagemaker"],
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": urls["sagemaker"],
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": urls["sagemaker"],
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": urls["sagemaker"],
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]),
    }


def commands(home: Home, record: Record, enforced: bool) -> dict[str, tuple[list[str], Mapping[str, str | None]]]:
    """The command of each part, and its own environment variables besides the shared ones (None removes one)."""
    ports = {name: str(port) for name, port in record.ports.items()}
    simulator_state = str(home.folder("sagemaker"))
    ministack = {
        # Not GATEWAY_PORT: MiniStack makes that a part of a queue's name, and after a restart on another port the
        # queue would not be found.
        "EDGE_PORT": ports["aws"],
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home.folder("aws")),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home.folder("s3")),
        "LOG_LEVEL": "WARNING",
        "AUTH": str(enforced).lower(),
    }
    simulator = [
        sys.executable,
        "-m",
        "local.sagemaker",
        "--port",
        ports["sagemaker"],
        "--worker",
        url(record, "worker"),
    ]
    simulator += ["--state", simulator_state, "--aws", url(record, "aws"), "--region", REGION]
    # The worker gets its role's credentials in the same way as a container at SageMaker, and has no others.
    container = {
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url(record, 'sagemaker')}/_simulator/credentials",
        "DARKROOM_MODELS": record.models,
    }
    return {
        "aws": ([sys.executable, "-m", "local.aws"], ministack),
        "sagemaker": (simulator, {}),
        "worker": (_worker(record), container),
        "page": (_page(record), {}),
    }


def _worker(record: Record) -> list[str]:
    command = [python(record.engine), "-m", "worker.server", "--engine", record.engine]
    return [*command, "--port", str(record.ports["worker"]), "--host", "127.0.0.1"]


def _page(record: Record) -> list[str]:
    served = ["--folder", str(record.page), "--port", str(record.ports["page"])]
    named = [word for output in _BUCKETS for word in ("--bucket", record.outputs.get(output, ""))]
    return [sys.executable, "-m", "local.page", *served, "--api", api(record), "--aws", url(record, "aws"), *named]


def api(record: Record) -> str:
    """The address of the deployed API."""
    outputs = record.outputs
    return f"{url(record, 'aws')}/restapis/{outputs.get('ApiId')}/{outputs.get('ApiStage')}/_user_request_"


def url(record: Record, name: str) -> str:
    """The address of a part."""
    return f"http://127.0.0.1:{record.ports[name]}"


def python(engine: str) -> str:
    """The Python of an engine: the preview engine needs nothing that is not here already. Raises StackError."""
    if engine == PREVIEW:
        return sys.executable
    found = ROOT / ".venv-worker" / "bin" / "python"
    if not found.is_file():
        raise StackError(
            f"The engine {engine} has an environment of its own; make it with `make .venv-worker/installed`."
        )
    return str(found)
