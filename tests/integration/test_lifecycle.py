"""The same machine as in memory, over moto: real conditional writes, real indexes, real listings."""

from contextlib import ExitStack

from hypothesis import HealthCheck, settings

from darkroom.aws.bookmarks import DynamoBookmarks
from darkroom.aws.jobs import DynamoJobs
from darkroom.checkpoints.resolver import ModelResolver
from tests.support.aws import SETTINGS
from tests.support.lifecycle import SHARDS, Clock, Lifecycle, World
from tests.support.stage import moto_stage


def on_moto() -> World:
    stack = ExitStack()
    stage = stack.enter_context(moto_stage())
    clock = Clock()
    dynamodb = stage.clients("dynamodb")

    def put(key: str, content: bytes) -> None:
        stage.s3.put_object(Bucket=SETTINGS.pictures_bucket, Key=key, Body=content)

    return World(
        clock=clock,
        store=DynamoJobs(dynamodb, SETTINGS.jobs_table, SETTINGS.models_table, SHARDS, clock),
        bookmarks=DynamoBookmarks(dynamodb, SETTINGS.jobs_table, clock),
        outputs=stage.adapters.outputs,
        images=stage.services.images,
        resolver=ModelResolver(stage.adapters.registry, clock),
        objects=stage.objects,
        put=put,
        registry=stage.adapters.registry,
        close=stack.close,
    )


class OnMoto(Lifecycle):
    world = staticmethod(on_moto)


TestLifecycle = OnMoto.TestCase
TestLifecycle.settings = settings(
    max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
