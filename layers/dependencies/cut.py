"""Removes from the installed dependencies what Lambda does not need.

botocore contains the models of every AWS service: 27 of 29 MB, which make a cold start slower. When the code begins to
call another service, add it to `SERVICES`, and nowhere else.
"""

import shutil
from pathlib import Path

from layers.dependencies.lazy import make_lazy

SERVICES = (
    "application-autoscaling",
    "cloudwatch",
    "dynamodb",
    "s3",
    "sagemaker",
    "sagemaker-runtime",
    "secretsmanager",
    "sqs",
)
"""The AWS services in use, as botocore names the folders of its `data`."""


def cut(packages: Path) -> None:
    """Remove from `packages` (a folder that `uv pip install --target` filled) what Lambda never reads.

    Removed are the models of other services, the examples beside the models, command line scripts, and the metadata of
    the distributions. No package in the layer needs metadata at import; without it, pydantic's search for plugins ends
    at once.
    """
    for data in (packages / "botocore" / "data", packages / "boto3" / "data"):
        for folder in data.iterdir():
            if folder.is_dir() and folder.name not in SERVICES:
                shutil.rmtree(folder)
    for examples in packages.glob("boto*/**/examples-1.json"):
        examples.unlink()
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for pattern in ("*.dist-info", "**/__pycache__", "**/tests"):
        for folder in list(packages.glob(pattern)):
            shutil.rmtree(folder)
    make_lazy(packages)
    for leftover in (".lock", ".gitignore"):
        (packages / leftover).unlink(missing_ok=True)
