"""The commands of the docs that deploy, run into the local AWS."""

import re
from pathlib import Path

import pytest

from layers.page import headers
from tests.e2e.conftest import Running
from tests.e2e.test_docs import WITH_COMMANDS, deploys, run


@pytest.mark.parametrize("page", [page for page in WITH_COMMANDS if deploys(page)])
def test_every_command_of_a_page_works(darkroom: Running, page: str, tmp_path: Path) -> None:
    told = run(darkroom, page, tmp_path)
    if page == "first-deploy.md":
        # The local account lacks nothing. The stage `dev` now lives beside the stage `local`, in one account.
        assert "The stage dev can be deployed to us-east-1." in told
        assert re.search(r"^key  \S{40,}$", told, re.M)
        the_page_lies_in_its_bucket(darkroom)


def the_page_lies_in_its_bucket(darkroom: Running) -> None:
    """The function has put the build there, by the right that the bucket's policy gives it."""
    s3 = darkroom.aws("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "pagefiles" in one["Name"])
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {"page/index.html", "page/licences.txt"} <= set(keys)
    for key in keys:
        assert s3.head_object(Bucket=bucket, Key=key)["CacheControl"] == headers.caching(key.removeprefix("page/"))
