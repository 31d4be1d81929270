"""The suite of the history on the local stack's DynamoDB, and the history over real HTTP."""

import csv
import io
import json

import httpx
from hypothesis import HealthCheck, given, settings

from darkroom.tables import JOBS
from local.seed import CHECKPOINT, ENDPOINT
from tests.e2e.conftest import Running, txt2img
from tests.support.aws import make_table
from tests.support.history import DynamoHistory, Story, check, stories


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(most=12))
def test_pages_laid_end_to_end_are_the_filtered_sorted_history_on_ministack(darkroom: Running, story: Story) -> None:
    client = darkroom.aws("dynamodb")

    def make(shards: int) -> DynamoHistory:
        table = f"history-{shards}"
        if table not in client.list_tables()["TableNames"]:
            make_table(client, table, JOBS)
        history = DynamoHistory(client, table, shards)
        history.clear()
        return history

    check(story, make)


def test_filters_exports_and_summary_over_http(darkroom: Running) -> None:
    made = [darkroom.client.submit(txt2img(width=64, height=64, prompt=f"pier {n} in Winter"))["id"] for n in range(3)]
    for job_id in made:
        darkroom.client.settled(job_id, 30)
    asked = {"type": "txt2img", "status": "succeed", "endpoint": ENDPOINT, "checkpoint": CHECKPOINT, "q": "WINTER pier"}
    found = [line["id"] for line in darkroom.client.history(limit=2, **asked)]
    assert found == made[::-1]
    headers = {"Authorization": f"Bearer {darkroom.key}", "Accept": "text/csv"}
    url = f"{darkroom.stack.api}/jobs"
    first = httpx.get(url, params={**asked, "limit": "2"}, headers=headers, timeout=30)
    assert first.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(first.text)))
    assert [row["id"] for row in rows] == made[:0:-1]
    # The Link is followed as any client would: relative to the URL of the page.
    second = httpx.get(httpx.URL(url).join(first.links["next"]["url"]), headers=headers, timeout=30)
    assert [row["id"] for row in csv.DictReader(io.StringIO(second.text))] == made[:1]
    lines = httpx.get(url, params=asked, headers={**headers, "Accept": "application/x-ndjson"}, timeout=30)
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == made[::-1]
    summary = darkroom.client.request("GET", "/jobs/summary", params={"from": "2020-01-01"})
    assert summary["exact"] is True
    assert summary["by_status"]["succeed"] >= 3
