"""The stage on moto that integration tests use."""

from collections.abc import Iterator

import pytest

from tests.support.stage import Stage, moto_stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    with moto_stage() as made:
        yield made
