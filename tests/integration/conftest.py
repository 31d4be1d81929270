"""The stage on moto that integration tests use, and the wheels of this checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import wheels
from tests.support.stage import Stage, moto_stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    with moto_stage() as made:
        yield made


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return wheels(tmp_path_factory.mktemp("dist"))
