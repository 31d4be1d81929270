"""`darkroom worker check` against workers that are wrong on purpose, each in one thing, and against good ones."""

from collections.abc import Iterator

import pytest

from darkroom_cli.worker_check import calls, ending, health, places, running, setup
from darkroom_cli.worker_check.checks import Check, Row, all_checks, performed
from darkroom_cli.worker_check.places import Place
from darkroom_cli.worker_check.session import Options
from tests.conformance.foreign_worker import Foreign
from tests.contract.serving import served

ENDING = {check.name for check in ending.CHECKS}
WATCHED = {"ping-meanwhile", "cancel-during", "progress", "progress-rises", "progress-pace", "huge-body"}
"""Rows that watch a long job, or send much: they are run where something is wrong there."""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with places.on_this_machine("127.0.0.1", 0, None) as made:
        yield made


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long job here takes some seconds, and its cancelling is noticed at once."""
    monkeypatch.setattr(running, "NOTICED", 2.5)


def checked(place: Place, worker: Foreign, leave: set[str]) -> dict[str, Row]:
    checks = [check for check in all_checks() if check.name not in leave]
    place.messages("")
    place.seen.clear()
    options = Options(size=64, watch=1.2, model_given=True)
    with served(worker.app()) as url, setup.session(url, place, options, setup.Files(), [], None, 60) as session:
        rows = {row.name: row for row in performed(session, checks, lambda _: None)}
        place.tidy(session.jobs)
        return rows


def faults_of(rows: dict[str, Row]) -> set[str]:
    return {name for name, row in rows.items() if row.outcome == "does not hold"}


def foreign(place: Place, fault: str = "", plain: bool = False) -> Foreign:
    return Foreign(place.s3, place.sqs, fault, plain)


def test_a_good_worker_keeps_everything(place: Place, quickly: None) -> None:
    rows = checked(place, foreign(place), ENDING)
    assert faults_of(rows) == set(), rows
    # One message in the second that a long job takes here says nothing about several.
    assert {name for name, row in rows.items() if row.outcome != "holds"} <= {"progress-rises", "progress-pace"}


def test_a_worker_that_answers_as_the_webui_does_keeps_the_contract(place: Place, quickly: None) -> None:
    rows = checked(place, foreign(place, plain=True), ENDING | {"progress-rises", "progress-pace"})
    assert faults_of(rows) == set(), rows
    left = {name for name, row in rows.items() if row.outcome == "not tried"}
    assert left == {
        *("keys", "numbers", "stored", "content-types", "sha256", "thumbnails", "nothing-else", "small-answers"),
        *("timings", "notices", "components", "machine"),
    }


QUICK_FAULTS: dict[str, set[str]] = {
    "ready": {"ping-body"},
    "txt2img": {"txt2img"},
    "img2img img2img": {"img2img"},
    "img2img sketch": {"img2img-sketch"},
    "img2img inpaint": {"img2img-inpaint"},
    "img2img inpaint_sketch": {"img2img-inpaint-sketch"},
    "img2img inpaint_upload": {"img2img-inpaint-upload"},
    "extras": {"extras"},
    "interrogate_clip": {"interrogate-clip"},
    "interrogate_deepbooru": {"interrogate-deepbooru"},
    "an empty caption": {"interrogate-clip"},
    "no json": {"interrogate-deepbooru", "answer"},
    "refuses everything": {"paints"},
    "ignores masks": {"mask"},
    "ignores batches": {"batch"},
    "one of several starts": {"several-starts"},
    "no Infinity": {"infinity"},
    "refuses unknown fields": {"unknown-fields"},
    "needs every field": {"optional-fields"},
    "needs a queue": {"no-queue", "optional-fields"},
    "ignores EXIF": {"orientation"},
    "random keys": {"same-keys", "nothing-else"},
    "no jpg": {"jpg"},
    "no webp": {"webp"},
    "keys elsewhere": {"keys"},
    "a blank in keys": {"keys"},
    "an unknown extension": {"keys"},
    "a key twice": {"keys", "stored", "sha256", "infotexts"},
    "width 0": {"numbers"},
    "a seed below -1": {"numbers", "seeds"},
    "no bytes": {"numbers", "stored"},
    "no digest": {"numbers", "sha256"},
    "stores nothing": {"stored"},
    "stores empty files": {"stored"},
    "other bytes": {"stored"},
    "a picture that is none": {"pictures"},
    "another width": {"pictures"},
    "another size": {"size"},
    "content types": {"content-types"},
    "another digest": {"sha256"},
    "no seed": {"seeds"},
    "another infotext": {"infotexts"},
    "a thumbnail that is not there": {"thumbnails"},
    "a thumbnail elsewhere": {"thumbnails"},
    "an object that nobody names": {"nothing-else"},
    "a large answer": {"small-answers"},
    "timings": {"timings"},
    "notices": {"notices"},
    "components": {"components"},
    "machine": {"machine"},
    "paints without its picture": {"missing-picture", "unnamed-picture"},
    "paints from a broken picture": {"broken-picture", "unnamed-picture"},
    "an error without words": {"other-size", "answer"},
    "silent without its model": {"missing-model"},
    "takes any steps": {"wrong-parameter"},
    "500 for what is no job": {
        *("not-json", "no-object", "empty-job", "unknown-type", "no-output", "wrong-output", "wrong-uri"),
    },
    "one job alone": {"side-by-side"},
    "begins what is cancelled": {"cancel-before"},
    "any marker": {"cancel-other"},
    "a result in progress": {"progress-shape"},
    "progress in percent": {"progress-shape"},
}
WATCHED_FAULTS: dict[str, set[str]] = {
    "ping": {"ping", "ping-meanwhile"},
    "ping while busy": {"ping-meanwhile"},
    "silent while busy": {"ping-meanwhile"},
    "goes on when cancelled": {"cancel-during"},
    "no progress": {"progress"},
    "progress of nothing": {"progress", "progress-shape"},
    "goes back": {"progress-rises", "progress-pace"},
    "reports too often": {"progress-pace"},
}


@pytest.mark.parametrize("fault", QUICK_FAULTS)
def test_what_a_worker_does_wrong_is_found_and_nothing_else(place: Place, fault: str) -> None:
    rows = checked(place, foreign(place, fault), ENDING | WATCHED)
    assert faults_of(rows) == QUICK_FAULTS[fault], rows


@pytest.mark.parametrize("fault", WATCHED_FAULTS)
def test_what_a_worker_does_wrong_while_it_paints_is_found(
    place: Place, quickly: None, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    names = {check.name for check in (*health.CHECKS, *running.CHECKS)} | {"txt2img"}
    if fault == "silent while busy":
        monkeypatch.setattr(calls, "PING_SECONDS", 0.2)
    rows = checked(place, foreign(place, fault), {check.name for check in all_checks()} - names)
    assert faults_of(rows) == WATCHED_FAULTS[fault], rows


def test_every_row_that_must_hold_has_a_worker_that_breaks_it() -> None:
    broken = set().union(*QUICK_FAULTS.values(), *WATCHED_FAULTS.values())
    elsewhere = {"sigterm", "huge-body"}  # test_worker_check_process.py
    assert {check.name for check in all_checks() if check.level == "must"} <= broken | elsewhere
    assert elsewhere <= {check.name for check in all_checks()}


def test_a_row_alone_asks_for_what_it_needs(place: Place) -> None:
    others = {check.name for check in all_checks()} - {"stored"}
    rows = checked(place, foreign(place), others)
    assert [(row.name, row.outcome) for row in rows.values()] == [("stored", "holds")]


def test_names_of_rows_are_told_apart() -> None:
    checks: list[Check] = all_checks()
    assert len({check.name for check in checks}) == len(checks)
