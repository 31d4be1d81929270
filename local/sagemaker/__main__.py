"""`python -m local.sagemaker --port 4580 --worker http://127.0.0.1:8080 --state DIR --aws http://127.0.0.1:4566`"""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

import uvicorn

from darkroom.logs import hold_libraries
from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings


def main() -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT. Invocations that run then are run again after the next start."""
    parser = argparse.ArgumentParser("local.sagemaker", description="SageMaker for one machine")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--worker", required=True, help="base URL of the worker")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument("--aws", required=True, help="base URL of the AWS services beside it")
    parser.add_argument("--region", default=_region())
    parser.add_argument("--account", default="000000000000", help="12 digits, for ARNs")
    parser.add_argument("--creating-seconds", type=float, default=1.0, help="until an endpoint is InService")
    parser.add_argument("--idle-seconds", type=float, default=600.0, help="without work until it scales in")
    options = parser.parse_args()
    level = os.environ.get("DARKROOM_LOG_LEVEL", "INFO")
    # The libraries log every request at INFO.
    others = level if level == "DEBUG" else "WARNING"
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=others)
    logging.getLogger("local.sagemaker").setLevel(level)
    hold_libraries()
    # After SIGTERM uvicorn shuts down and then raises the signal again; this handler makes the exit status 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = SimulatorSettings(
        worker=options.worker,
        aws=options.aws,
        state=options.state,
        region=options.region,
        account=options.account,
        creating_seconds=options.creating_seconds,
        idle_seconds=options.idle_seconds,
    )
    uvicorn.run(
        build(settings),
        host="127.0.0.1",
        port=options.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        # A connection is not closed at the moment when a caller who tries once uses it again.
        timeout_keep_alive=600,
    )


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


if __name__ == "__main__":
    main()
