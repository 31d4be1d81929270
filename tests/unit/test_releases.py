"""What a release froze, and how a deploy that would change it is refused."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import releases


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one release of the code as it is."""
    releases.record("0.3.0", "a" * 40, tmp_path / "releases.json")
    return tmp_path / "releases.json"


def changed() -> dict[str, Any]:
    return json.loads(json.dumps(releases.indexes()))  # type: ignore[no-any-return]


def test_the_last_release_has_the_indexes_that_the_code_has() -> None:
    releases.check_indexes()
    last = releases.releases()[-1]
    assert len(last.commit) == 40
    # A table that came after it has no index: one would be recorded with the next release.
    assert last.indexes.keys() <= releases.TABLES.keys()
    assert not any(indexes for name, indexes in releases.indexes().items() if name not in last.indexes)


def test_one_more_index_of_a_table_is_taken_and_one_less(file: Path) -> None:
    now = changed()
    now["Jobs"]["by_seed"] = {"keys": ["seed", "id"], "projected": ["owner"]}
    del now["Keys"]["by_id"]
    releases.check_indexes(now, file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda now: now["Jobs"]["feed"]["projected"].append("seed"), "Jobs, index feed: projected were"),
        (lambda now: now["Jobs"]["feed"]["keys"].reverse(), "Jobs, index feed: keys were"),
        (lambda now: now.pop("PictureUses"), "PictureUses is gone"),
        (
            lambda now: now["Jobs"].update(a=now["Jobs"]["feed"], b=now["Jobs"]["feed"]),
            r"Jobs: 2 indexes are added or removed at once \(a, b\)",
        ),
    ],
)
def test_what_dynamodb_refuses_is_refused_with_the_way_to_do_it(file: Path, change: Any, words: str) -> None:
    now = changed()
    change(now)
    with pytest.raises(releases.Frozen, match=words) as refused:
        releases.check_indexes(now, file)
    assert "release 0.3.0" in str(refused.value)
    assert "1. Give it a new name" in str(refused.value)


def test_recording_a_version_again_names_another_commit(file: Path) -> None:
    releases.record("0.4.0", "b" * 40, file)
    releases.record("0.3.0", "c" * 40, file)
    assert {one.version: one.commit[0] for one in releases.releases(file)} == {"0.4.0": "b", "0.3.0": "c"}


def test_a_commit_is_told_in_full_and_one_that_is_not_there_is_refused() -> None:
    command = ["git", "-C", str(releases.ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own words
    assert releases.commit_of("HEAD") == head
    with pytest.raises(releases.Frozen, match="no commit nowhere"):
        releases.commit_of("nowhere")


def test_an_unknown_command_says_what_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert releases.main(["publish"]) == 2
    assert "record 0.3.0" in capsys.readouterr().err
    assert releases.main([]) == 0
    assert releases.releases()[-1].commit in capsys.readouterr().out


def test_the_order_of_attributes_says_nothing(file: Path) -> None:
    now = copy.deepcopy(changed())
    assert now["Jobs"]["feed"]["projected"] == sorted(now["Jobs"]["feed"]["projected"])
    releases.check_indexes(now, file)
