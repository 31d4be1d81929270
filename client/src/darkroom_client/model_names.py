"""Choosing the names on the shelf, so that files of one name in two folders can both be there.

Names on the shelf have no folders. A file whose name is taken by one from another folder is called by its folder and
its name, as the WebUI shows it where a folder cannot stand: `SD15/v1-5.safetensors` becomes `SD15_v1-5.safetensors`.
Its file name stays an alias, and with the folder that the shelf keeps, `SD15/v1-5` still means it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from darkroom_client.answers import Checkpoint
from darkroom_client.model_files import ModelFile, Selection
from darkroom_client.model_folders import SAME_CONTENT, LeftOut
from darkroom_client.transfer import blocks, sha256_of


def choose(selection: Selection, shelf: Iterable[Checkpoint]) -> Selection:
    """The same files with their names on the shelf, where `shelf` has the rows of all their kinds. Reads files only
    where two have the same name and size: one whose content is already selected is left out, and its path below the
    folder of its kind becomes an alias of the first."""
    rows: dict[tuple[str, str], list[Checkpoint]] = defaultdict(list)
    for row in shelf:
        if row["status"] != "fail":
            for name in {name.casefold() for name in _names(row)}:
                rows[row["kind"], name].append(row)
    files, left_out = _without_copies(selection.files)
    groups: dict[tuple[str, str], list[ModelFile]] = defaultdict(list)
    for file in files:
        groups[file.kind, file.file_name.casefold()].append(file)
    named = [
        file if file.called else _named(file, groups[key], rows[key])
        for file in files
        for key in [(file.kind, file.file_name.casefold())]
    ]
    return Selection(named, selection.left_out + left_out)


def flat_name(file: ModelFile) -> str:
    """A file's name with its folder before it, as the WebUI's `model_name` has it."""
    return f"{(file.folder or '').replace('/', '_')}_{file.file_name}"


def _named(file: ModelFile, others: Sequence[ModelFile], rows: Sequence[Checkpoint]) -> ModelFile:
    """The file with its name on the shelf. `others` are the selected files of that name, it among them; `rows` those
    on the shelf that are called so."""
    size = file.path.stat().st_size
    as_large = [other for other in others if other.path.stat().st_size == size]
    plain = None
    for row in rows:
        if row["folder"] is not None and row["folder"] == file.folder and file.file_name in _names(row):
            return replace(file, called=row["name"])
        plain = row if row["name"] == file.file_name else plain
    if plain and None in (plain["folder"], file.folder) and plain["size"] in (None, size) and len(as_large) == 1:
        # The shelf knows no other folder or size of it. The upload finds out whether it is the same file.
        return file
    if (plain or len(others) > 1) and file.folder:
        return replace(file, called=flat_name(file), aliases=(*file.aliases, file.file_name))
    return file


def _names(row: Checkpoint) -> set[str]:
    return {row["name"], *row["aliases"]}


def _without_copies(files: Sequence[ModelFile]) -> tuple[list[ModelFile], list[LeftOut]]:
    """The files without those that have the kind, file name and content of one before."""
    groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for number, file in enumerate(files):
        groups[file.kind, file.file_name, file.path.stat().st_size].append(number)
    kept, left_out = dict(enumerate(files)), []
    for numbers in groups.values():
        first_of: dict[str, int] = {}
        for number in numbers if len(numbers) > 1 else ():
            file = kept[number]
            first = first_of.setdefault(sha256_of(blocks(file.path, 0, file.path.stat().st_size)), number)
            if first != number:
                del kept[number]
                left_out.append(LeftOut(file.path, SAME_CONTENT))
                if file.folder:
                    alias = f"{file.folder}/{file.file_name}"
                    kept[first] = replace(kept[first], aliases=(*kept[first].aliases, alias))
    return list(kept.values()), left_out
