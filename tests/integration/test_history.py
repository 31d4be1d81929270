"""The suite of the history on moto's DynamoDB, through the real adapter."""

from hypothesis import HealthCheck, given, settings

from darkroom.tables import JOBS
from tests.support.aws import make_table
from tests.support.history import DynamoHistory, Story, check, stories
from tests.support.stage import Stage


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(most=15))
def test_pages_laid_end_to_end_are_the_filtered_sorted_history_on_moto(stage: Stage, story: Story) -> None:
    def make(shards: int) -> DynamoHistory:
        table = f"history-{shards}"
        if table not in stage.dynamodb.list_tables()["TableNames"]:
            make_table(stage.dynamodb, table, JOBS)
        history = DynamoHistory(stage.dynamodb, table, shards)
        history.clear()
        return history

    check(story, make)
