"""What a job needs files for, and the refusal while they are missing. Needs no torch."""

from collections.abc import Iterable

from worker.errors import FILES_MISSING, JobError


def lacking(purpose: str, what: Iterable[tuple[str, str]]) -> JobError:
    """The refusal of a job that lacks files of a purpose. `what` says of each what it is, and how it is called in the
    command that uploads it."""
    entries = list(what)
    named = " and ".join(said for said, _ in entries)
    commands = "; ".join(
        f"darkroom checkpoints upload {file} --kind engine-file --for {purpose}" for _, file in entries
    )
    return JobError(FILES_MISSING, f"For {purpose} this engine needs {named}. Upload what is missing: {commands}.")
