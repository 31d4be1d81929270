"""A few hundred requests that nobody would think of; `make fuzz` sends thousands."""

import pytest

from bench import fuzz
from darkroom_client import Refused
from local.seed import ENDPOINT, seed
from tests.e2e.conftest import Running
from tests.support.waiting import eventually


@pytest.mark.parametrize("role", ["admin", "artist", None])
def test_every_answer_to_any_request_is_one_that_the_document_names(darkroom: Running, role: str | None) -> None:
    key = fuzz.key_of(darkroom.stack.api, darkroom.key, role)
    try:
        result = fuzz.attack(darkroom.stack.api, role, key, examples=12, phases="fuzzing")
    finally:
        restore(darkroom)
    assert result.found is None, result.found
    assert result.requests > 80


def restore(darkroom: Running) -> None:
    """An admin's odd requests delete and make endpoints; the tests to come want the one there was."""
    for found in darkroom.client.request("GET", "/endpoints")["endpoints"]:
        if found["name"] != ENDPOINT:
            darkroom.client.request("DELETE", f"/endpoints/{found['name']}")

    def seeded() -> bool:
        try:
            seed(darkroom.stack.outputs, darkroom.stack.aws, darkroom.client)
        except Refused:
            return False  # The old one is on its way out.
        return True

    eventually(seeded, 60)
