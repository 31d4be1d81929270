"""The options that change how a job is sampled, as bodies say them."""

import math
from typing import Any

import pytest

from worker.engines.diffusers.sampling.options import options_of
from worker.errors import JobError


@pytest.mark.parametrize("limit", ["Infinity", math.inf, 0, None])
def test_a_noise_level_may_have_no_limit(limit: Any) -> None:
    """The WebUI's own default is infinity, which a job says as a text."""
    assert (options_of({"s_tmax": limit}).s_tmax or math.inf) == math.inf
    assert options_of({"override_settings": {"s_tmax": limit}}).s_tmax in (0, math.inf)


@pytest.mark.parametrize("limit", ["NaN", "-Infinity", -1, "many"])
def test_a_limit_that_is_none_is_refused_by_its_name(limit: Any) -> None:
    with pytest.raises(JobError, match="s_tmax"):
        options_of({"s_tmax": limit})


@pytest.mark.parametrize("name", ["s_churn", "s_tmin", "s_noise"])
def test_others_are_finite(name: str) -> None:
    with pytest.raises(JobError, match=name):
        options_of({name: "Infinity"})
