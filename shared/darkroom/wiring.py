"""The one place that puts real adapters into services. Everything is made at its first use and kept
for the life of the process."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from darkroom.aws.claims import DynamoClaims
from darkroom.aws.clients import client
from darkroom.aws.dead_letters import SqsLetters
from darkroom.aws.endpoints import EndpointDefaults, SageMakerControl, SageMakerEndpoints
from darkroom.aws.jobs import DynamoJobs
from darkroom.aws.keys import DynamoCounts, DynamoKeys, SecretsManagerAdmin
from darkroom.aws.model_files import S3ModelFiles
from darkroom.aws.models import DynamoModelRegistry
from darkroom.aws.pictures import S3Images, S3Outputs
from darkroom.aws.queue import SqsImports
from darkroom.aws.sagemaker import SageMakerInference
from darkroom.aws.scaling import AutoScaling
from darkroom.checkpoints import imports as imports_module
from darkroom.checkpoints.imports import Imports
from darkroom.checkpoints.networks import Networks
from darkroom.checkpoints.service import Checkpoints
from darkroom.dead_letters.model import Queue
from darkroom.dead_letters.service import DeadLetters, about_round
from darkroom.endpoints import events as endpoint_events
from darkroom.endpoints.fleet import Fleet
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.sweep import EndpointSweep, Guard
from darkroom.idempotency import Claims
from darkroom.images.service import Images
from darkroom.jobs import events as events_module
from darkroom.jobs.dispatcher import Dispatcher, StageResources
from darkroom.jobs.events import Events
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import JobTimeouts
from darkroom.jobs.open import JobsByEndpoint
from darkroom.jobs.service import Jobs
from darkroom.jobs.settling import Settling
from darkroom.jobs.sweep import Sweep
from darkroom.keys.rate_limiter import RateLimiter
from darkroom.keys.service import Authenticator, Keys
from darkroom.settings import Settings
from darkroom.web.fetch import Https

_client = cache(client)
Round = Callable[[Callable[[], float]], Mapping[str, int | list[str]]]


@cache
def settings() -> Settings:
    """What this function was told about its surroundings."""
    return Settings.from_environment()


@cache
def images() -> Images:
    """The picture store."""
    return Images(S3Images(_client("s3"), settings().pictures_bucket), settings().retention_days)


@cache
def registry() -> DynamoModelRegistry:
    """The rows of the model shelf."""
    return DynamoModelRegistry(_client("dynamodb"), settings().models_table)


@cache
def checkpoints() -> Checkpoints:
    """The model shelf with its files."""
    return Checkpoints(registry(), S3ModelFiles(_client("s3"), settings().models_bucket), settings().allow_pickle)


@cache
def imports() -> Imports:
    """Imports of model files."""
    files = S3ModelFiles(_client("s3"), settings().models_bucket)
    queue = SqsImports(_client("sqs"), settings().imports_queue_url)
    return Imports(registry(), files, Https(), queue, checkpoints())


@cache
def endpoints() -> Endpoints:
    """The stage's endpoints."""
    return Endpoints(_endpoint_source(), _scaling(), _open_jobs(), settings().endpoint_prefix)


@cache
def fleet() -> Fleet:
    """Making, scaling and deleting endpoints."""
    current = settings()
    return Fleet(
        endpoints(),
        _endpoint_source(),
        _endpoint_control(),
        _scaling(),
        _open_jobs(),
        current.stage,
        current.instance_type,
        current.worker_image,
    )


@cache
def jobs() -> Jobs:
    """The jobs, with all they need."""
    return Jobs(
        _store(),
        images(),
        _outputs(),
        registry(),
        Networks(registry()),
        endpoints(),
        _limiter(),
        _dispatcher(),
        _resources(),
        _timeouts(),
    )


@cache
def events() -> Events:
    """What the queue's messages are handed to."""
    return Events(_store(), _settling())


@cache
def rounds() -> dict[str, Round]:
    """What the sweeper does, by name: each takes the seconds it has left, and returns what it did, by kind."""
    sweep = Sweep(
        _store(), _store(), _outputs(), _settling(), _dispatcher(), endpoints(), _timeouts(), settings().feed_shards
    )
    guard = Guard(settings().idle_hours, settings().idle_to_zero)
    source, scaling = _endpoint_source(), _scaling()
    endpoint_sweep = EndpointSweep(fleet(), source, _endpoint_control(), scaling, _open_jobs(), guard)
    return {"jobs": sweep.run, "endpoints": lambda left: endpoint_sweep.run(left).told()}


@cache
def dead_letters() -> DeadLetters:
    """The queues of messages that nothing could take in."""
    queues = [Queue.parse(text) for text in settings().dead_letter_queues]
    about = {
        "events": events_module.about,
        "undelivered": events_module.about,
        "imports": imports_module.about,
        "endpoints": endpoint_events.about,
        "sweeps": about_round,
    }
    return DeadLetters(queues, SqsLetters(_client("sqs")), about)


@cache
def authenticator() -> Authenticator:
    """Who is calling."""
    current = settings()
    return Authenticator(
        _key_store(),
        SecretsManagerAdmin(_client("secretsmanager"), current.admin_secret),
    )


@cache
def keys() -> Keys:
    """The access keys."""
    return Keys(_key_store())


@cache
def claims() -> Claims:
    """The idempotency keys of what is named by its maker."""
    return Claims(DynamoClaims(_client("dynamodb"), settings().keys_table))


@cache
def rate_limiter() -> RateLimiter:
    """How many requests each key sends."""
    return RateLimiter(DynamoCounts(_fail_fast, settings().keys_table))


@cache
def _key_store() -> DynamoKeys:
    return DynamoKeys(_client("dynamodb"), settings().keys_table, _fail_fast)


@cache
def _fail_fast() -> Any:
    return client("dynamodb", fail_fast=True)


@cache
def _settling() -> Settling:
    return Settling(_store(), _outputs())


@cache
def _dispatcher() -> Dispatcher:
    inference = SageMakerInference(_client("sagemaker-runtime"), _client("s3"), settings().pictures_bucket, _timeouts())
    return Dispatcher(_store(), images(), _outputs(), inference, _resources())


@cache
def _resources() -> StageResources:
    current = settings()
    return StageResources(
        current.pictures_bucket,
        current.models_bucket,
        current.events_queue_url,
        current.retention_days,
        current.feed_shards,
        current.prices,
    )


@cache
def _timeouts() -> JobTimeouts:
    current = settings()
    return JobTimeouts(current.job_wait_seconds, current.job_run_seconds, current.settle_after_seconds)


@cache
def _store() -> DynamoJobs:
    current = settings()
    return DynamoJobs(_client("dynamodb"), current.jobs_table, current.models_table, current.feed_shards)


@cache
def _open_jobs() -> JobsByEndpoint:
    return JobsByEndpoint(_store(), _outputs(), _limiter(), settings().feed_shards)


@cache
def _limiter() -> OpenJobLimiter:
    current = settings()
    return OpenJobLimiter(_store(), current.max_open_jobs_per_owner, current.max_open_jobs)


@cache
def _endpoint_source() -> SageMakerEndpoints:
    return SageMakerEndpoints(_client("sagemaker"), settings().endpoint_prefix)


@cache
def _endpoint_control() -> SageMakerControl:
    current = settings()
    defaults = EndpointDefaults(current.worker_role, current.pictures_bucket, current.results_topic)
    return SageMakerControl(_client("sagemaker"), _endpoint_source(), defaults)


@cache
def _scaling() -> AutoScaling:
    prefix = settings().endpoint_prefix
    return AutoScaling(_client("application-autoscaling"), _client("cloudwatch"), prefix)


@cache
def _outputs() -> S3Outputs:
    return S3Outputs(_client("s3"), settings().pictures_bucket)
