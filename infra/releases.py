"""Releases, and what each froze: the indexes of the tables.

`releases.json` names each release's commit (tags do not travel with every copy of a repository) and its indexes.
DynamoDB changes no projection and no key of an index, and adds or removes one index of a table in one update (DynamoDB
Developer Guide, "Managing Global Secondary Indexes"); the local stack would replace a changed index without a word. So
a deploy is refused that would change one.

`python -m infra.releases record VERSION [COMMIT]` adds a release, or names another commit for it; `python -m
infra.releases` lists them.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom import tables

FILE = Path(__file__).resolve().parent / "releases.json"
ROOT = FILE.parent.parent
TABLES = {
    "Jobs": tables.JOBS,
    "Models": tables.MODELS,
    "PictureUses": tables.PICTURES,
    "Keys": tables.KEYS,
    "Usage": tables.USAGE,
}
HOW = """How to roll out an index:
1. Give it a new name in shared/darkroom/tables.py, beside the old one. Write its attributes, and go on reading the old
   one. Release that. DynamoDB fills the new index from the rows that are there.
2. Read the new one. Release that. The release before still finds the old one, so it can be deployed over this one.
3. Take the old one out. Release that.
Each deploy adds or removes one index of a table. A column of a line of the history needs no index: it goes into the map
`line`."""

Indexes = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By table and by name: `keys` and `projected` of each index."""


class Frozen(Exception):
    """The tables differ from those of the last release in a way that DynamoDB refuses; the text says how, and what to
    do."""


@dataclass(frozen=True)
class Release:
    """A version that was released: its commit, and the indexes that it has."""

    version: str
    commit: str
    indexes: Indexes


def releases(file: Path = FILE) -> list[Release]:
    """All releases, oldest first."""
    return [Release(**one) for one in json.loads(file.read_text(encoding="utf-8"))["releases"]]


def indexes(of: Mapping[str, tables.Table] = TABLES) -> Indexes:
    """The indexes that the code has."""
    return {
        name: {
            index.name: {"keys": [index.partition, index.sort], "projected": sorted(index.projected)}
            for index in table.indexes
        }
        for name, table in of.items()
    }


def check_indexes(now: Indexes | None = None, file: Path = FILE) -> None:
    """Raises Frozen when the indexes `now` (those of the code) cannot be deployed over those of the last release."""
    known = releases(file)
    if known and (wrong := list(_differences(known[-1].indexes, indexes() if now is None else now))):
        lines = "\n".join(f"- {one}" for one in wrong)
        raise Frozen(f"These tables cannot be deployed over release {known[-1].version}:\n{lines}\n{HOW}")


def _differences(before: Indexes, now: Indexes) -> Iterator[str]:
    for table, old in before.items():
        new = now.get(table)
        if new is None:
            yield f"{table} is gone, and its rows with it"
            continue
        for name in old.keys() & new.keys():
            for what in ("keys", "projected"):
                if list(old[name][what]) != list(new[name][what]):
                    yield f"{table}, index {name}: {what} were {old[name][what]} and are {new[name][what]}"
        changed = sorted(old.keys() ^ new.keys())
        if len(changed) > 1:
            yield f"{table}: {len(changed)} indexes are added or removed at once ({', '.join(changed)})"


def record(version: str, commit: str, file: Path = FILE) -> Release:
    """Write a release into the file; one of this version gets this commit and the indexes of the code."""
    release = Release(version, commit, indexes())
    kept = [one for one in releases(file) if one.version != version] if file.is_file() else []
    content = {"releases": [vars(one) for one in [*kept, release]]}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return release


def commit_of(name: str) -> str:
    """The full hash of a commit that this repository has. Raises Frozen for another one."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise Frozen(f"There is no commit {name} in this copy of the repository. Fetch the whole history.")
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Carry out a command; returns the exit code."""
    match list(arguments):
        case []:
            for one in releases():
                print(f"{one.version}  {one.commit}")
        case ["record", version, *rest] if len(rest) < 2:
            try:
                check_indexes()
                release = record(version, commit_of(rest[0] if rest else "HEAD"))
            except Frozen as problem:
                print(problem, file=sys.stderr)
                return 1
            print(f"{release.version}  {release.commit}")
        case _:
            print("Say: python -m infra.releases record 0.3.0 <commit>", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
