"""A few hundred requests that nobody would think of; `make fuzz` sends thousands."""

import pytest

from bench import fuzz
from tests.e2e.conftest import Running


@pytest.mark.parametrize("role", ["admin", "artist", None])
def test_every_answer_to_any_request_is_one_that_the_document_names(darkroom: Running, role: str | None) -> None:
    key = fuzz.key_of(darkroom.stack.api, darkroom.key, role)
    result = fuzz.attack(darkroom.stack.api, role, key, examples=8, phases="fuzzing")
    assert result.found is None, result.found
    assert result.requests > 80
