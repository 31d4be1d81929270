"""What can be chosen in the panel: the model files and endpoints of the cloud."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from darkroom_client import Darkroom, checkpoints, endpoints
from darkroom_client.model_files import ModelFile, Selection, select
from darkroom_client.model_folders import stem
from darkroom_client.model_names import choose
from darkroom_webui.body import AUTOMATIC
from darkroom_webui.cloud import CloudError

OFF = "off"
"""The choice of checkpoint with which the WebUI paints on this machine."""
_NETWORKS = {"lora": "<lora:{}:1>", "hypernetwork": "<hypernet:{}:1>", "embedding": "{}"}
_SERVICE = "InService"


def names(client: Darkroom, kind: Any) -> "list[str]":
    """The model files of a kind that jobs can use."""
    return [row["name"] for row in checkpoints.listed(client, kind) if row["status"] == "active"]


def extra_networks(client: Darkroom) -> "list[str]":
    """What a prompt says to use each extra network of the cloud."""
    return [
        said.format(stem(row["name"]))
        for kind, said in _NETWORKS.items()
        for row in checkpoints.listed(client, kind)  # type: ignore[arg-type]
        if row["status"] == "active"
    ]


def endpoint_names(client: Darkroom) -> "list[str]":
    """Every endpoint with its status, those that are in service first."""
    rows = sorted(endpoints.listed(client), key=lambda row: (not row["usable"], row["name"]))
    return [f"{row['name']} ({row['status']})" for row in rows]


def endpoint_of(choice: "str | None") -> str:
    """The name in a line of `endpoint_names`."""
    return (choice or AUTOMATIC).partition(" (")[0]


def check_endpoint(client: Darkroom, choice: "str | None") -> None:
    """Raises CloudError with the reason for an endpoint that takes no jobs now."""
    name = endpoint_of(choice)
    if name == AUTOMATIC:
        return
    row = endpoints.find(client, name)
    if row is None:
        raise CloudError(f"The endpoint {name} does not exist any more. Choose another one.")
    if not row["usable"]:
        why = "it is being deleted" if row["deleting"] else row["failure"] or f"it is {row['status']}"
        raise CloudError(f"The endpoint {name} takes no jobs: {why}. Choose one that is {_SERVICE}, or {AUTOMATIC}.")


def only_local(client: Darkroom, folders: "Iterable[Path]") -> "list[ModelFile]":
    """The model files in these folders that are not on the shelf. Folders without model files are passed over."""
    rows = [row for row in checkpoints.listed(client) if row["status"] == "active"]
    there = {(row["kind"], name.casefold()) for row in rows for name in (row["name"], *row["aliases"])}
    found = Selection()
    for folder in folders:
        found.files += _files_in(folder)
    files = choose(found, rows).files
    return [file for file in files if (file.kind, file.name.casefold()) not in there]


def _files_in(folder: Path) -> "list[ModelFile]":
    from darkroom_client import Failure

    try:
        return select([folder]).files if folder.is_dir() else []
    except Failure:
        return []


def command(files: "Sequence[ModelFile]") -> str:
    """The command that uploads these files."""
    return "darkroom checkpoints upload " + " ".join(shlex.quote(str(file.path)) for file in files)


def mentioned(text: str, files: "Iterable[ModelFile]") -> "list[ModelFile]":
    """The files whose names stand in a text."""
    folded = text.casefold()
    return [file for file in files if stem(file.file_name).casefold() in folded]
