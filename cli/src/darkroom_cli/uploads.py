"""Uploading the selected model files one after the other, and the report at the end."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import typer

from darkroom_cli.console import print_error
from darkroom_cli.progress import Silent, watching
from darkroom_client import Darkroom, Failure, Refused, checkpoints, model_files, model_names
from darkroom_client.answers import Kind, Purpose
from darkroom_client.model_files import ENGINE_FILE, ModelFile, Selection
from darkroom_client.model_folders import NOT_WORTH_A_LINE, LeftOut, counted
from darkroom_client.upload import Outcome, upload


@dataclass(frozen=True)
class Uploaded:
    """What became of one file; `reason` says why it failed."""

    file: ModelFile
    outcome: Outcome | None
    reason: str | None = None


@dataclass
class Report:
    """What became of every selected file, and what was left out."""

    files: list[Uploaded] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many files were not uploaded because of an error."""
        return sum(one.outcome is None for one in self.files)

    def count(self, outcome: Outcome) -> int:
        """How many files ended so."""
        return sum(one.outcome == outcome for one in self.files)

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "files": [
                {
                    "path": str(one.file.path),
                    "kind": one.file.kind,
                    "name": one.file.name,
                    "folder": one.file.folder,
                    "outcome": one.outcome or "failed",
                    "reason": one.reason,
                }
                for one in self.files
            ],
            "left_out": [{"path": str(one.path), "reason": one.reason} for one in self.left_out],
            "left_out_by_reason": counted(self.left_out),
        }


def selected(
    darkroom: Darkroom, paths: Iterable[Path], kind: Kind | None, called: str | None, purpose: Purpose | None = None
) -> Selection:
    """The files to upload, with their names on the shelf; `called` is that of a single file, `purpose` what an engine
    needs the files for. Raises Failure."""
    check_purpose(kind, purpose)
    selection = model_files.select(paths, kind)
    selection.files = [replace(file, purpose=purpose) if file.kind == ENGINE_FILE else file for file in selection.files]
    if called:
        if len(selection.files) != 1:
            raise Failure(f"--as names one file, and these are {len(selection.files)}.")
        [file] = selection.files
        other = (file.file_name,) if file.file_name != called else ()
        selection.files = [replace(file, called=called, aliases=(*file.aliases, *other))]
    kinds = sorted({file.kind for file in selection.files})
    return model_names.choose(selection, (row for one in kinds for row in checkpoints.listed(darkroom, one)))


def check_purpose(kind: Kind | None, purpose: Purpose | None) -> None:
    """Raises Failure when a file for an engine does not say what it is for, or any other kind says so."""
    if kind == ENGINE_FILE and purpose is None:
        raise Failure(f"Say what the engine needs it for, with --for: {', '.join(get_args(Purpose))}.")
    if kind != ENGINE_FILE and purpose is not None:
        raise Failure(f"--for is for files of an engine alone: add --kind {ENGINE_FILE}.")


def upload_all(darkroom: Darkroom, selection: Selection, parallel: int, quiet: bool) -> Report:
    """Upload the files one after the other; one that fails does not stop the others. `quiet` prints nothing but errors.

    Raises Refused for an error that every other file would have too.
    """
    report = Report(left_out=selection.left_out)
    for file in selection.files:
        if file.called and file.name != file.file_name and not quiet:
            typer.echo(f"{file.path}: is called {file.name} on the shelf.")
        report.files.append(_upload_one(darkroom, file, parallel, quiet))
    return report


def print_report(report: Report) -> None:
    """Print how many files were uploaded, were there already, failed, and were left out, and why."""
    counts = {
        "uploaded": report.count("uploaded"),
        "there already": report.count("there already"),
        "not uploaded": report.failed,
    }
    typer.echo(", ".join(f"{number} {what}" for what, number in counts.items() if number) + ".")
    for reason, number in counted(report.left_out).items():
        typer.echo(f"Left out {number}: {reason}")
        if reason not in NOT_WORTH_A_LINE:
            for one in report.left_out:
                if one.reason == reason:
                    typer.echo(f"  {one.path}")
    if report.failed:
        print_error(f"{report.failed} of {len(report.files)} files were not uploaded.")


def _upload_one(darkroom: Darkroom, file: ModelFile, parallel: int, quiet: bool) -> Uploaded:
    try:
        with nullcontext(Silent()) if quiet else watching() as watcher:
            outcome = upload(darkroom, file, watcher, parallel)
    except Refused as refused:
        if refused.status in (401, 403):
            raise
        return _failed(file, f"{file.path}: {refused.detail} ({refused.code})")
    except (Failure, OSError) as error:
        return _failed(file, str(error))
    if not quiet:
        typer.echo(f"{file.kind} {file.name}: {outcome}")
    return Uploaded(file, outcome)


def _failed(file: ModelFile, reason: str) -> Uploaded:
    print_error(reason)
    return Uploaded(file, None, reason)
