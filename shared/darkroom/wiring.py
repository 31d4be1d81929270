"""The one place that puts real adapters into services. Everything is made at its first use and kept
for the life of the process."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from darkroom.aws.clients import client
from darkroom.aws.dead_letters import SqsLetters
from darkroom.aws.endpoints import SageMakerControl, SageMakerEndpoints, Surroundings
from darkroom.aws.jobs import DynamoJobs
from darkroom.aws.keys import DynamoCounts, DynamoKeys, SecretsManagerAdmin
from darkroom.aws.model_files import S3ModelFiles
from darkroom.aws.models import DynamoShelf
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
from darkroom.images.service import Images
from darkroom.jobs import events as events_module
from darkroom.jobs.crowd import Crowd
from darkroom.jobs.events import Events
from darkroom.jobs.handover import HandOver, Places
from darkroom.jobs.model import Patience
from darkroom.jobs.open import OpenJobs
from darkroom.jobs.service import Jobs
from darkroom.jobs.settling import Settling
from darkroom.jobs.sweep import Sweep
from darkroom.keys.pace import Pace
from darkroom.keys.service import Gate, Keys
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
def shelf() -> DynamoShelf:
    """The rows of the model shelf."""
    return DynamoShelf(_client("dynamodb"), settings().models_table)


@cache
def checkpoints() -> Checkpoints:
    """The model shelf with its files."""
    return Checkpoints(shelf(), S3ModelFiles(_client("s3"), settings().models_bucket), settings().allow_pickle)


@cache
def imports() -> Imports:
    """Imports of model files."""
    files = S3ModelFiles(_client("s3"), settings().models_bucket)
    queue = SqsImports(_client("sqs"), settings().imports_queue_url)
    return Imports(shelf(), files, Https(), queue, checkpoints())


@cache
def endpoints() -> Endpoints:
    """The stage's endpoints."""
    return Endpoints(_endpoint_source(), _scaling(), _open_jobs(), settings().endpoint_prefix)


@cache
def fleet() -> Fleet:
    """Making, scaling and deleting endpoints."""
    told = settings()
    return Fleet(
        endpoints(),
        _endpoint_source(),
        _endpoint_control(),
        _scaling(),
        _open_jobs(),
        told.stage,
        told.instance_type,
        told.worker_image,
    )


@cache
def jobs() -> Jobs:
    """The jobs, with all they need."""
    return Jobs(
        _store(),
        images(),
        _outputs(),
        shelf(),
        Networks(shelf()),
        endpoints(),
        _crowd(),
        _hand_over(),
        _places(),
        _patience(),
    )


@cache
def events() -> Events:
    """What the queue's messages are handed to."""
    return Events(_store(), _settling())


@cache
def rounds() -> dict[str, Round]:
    """What the sweeper does, by name: each takes the seconds it has left, and returns what it did, by kind."""
    sweep = Sweep(
        _store(), _store(), _outputs(), _settling(), _hand_over(), endpoints(), _patience(), settings().feed_shards
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
def gate() -> Gate:
    """Who is calling."""
    told = settings()
    return Gate(
        _key_store(),
        SecretsManagerAdmin(_client("secretsmanager"), told.admin_secret),
    )


@cache
def keys() -> Keys:
    """The access keys."""
    return Keys(_key_store())


@cache
def pace() -> Pace:
    """How many requests each key sends."""
    return Pace(DynamoCounts(_hurried, settings().keys_table))


@cache
def _key_store() -> DynamoKeys:
    return DynamoKeys(_client("dynamodb"), settings().keys_table, _hurried)


@cache
def _hurried() -> Any:
    return client("dynamodb", hurried=True)


@cache
def _settling() -> Settling:
    return Settling(_store(), _outputs())


@cache
def _hand_over() -> HandOver:
    inference = SageMakerInference(_client("sagemaker-runtime"), _client("s3"), settings().pictures_bucket, _patience())
    return HandOver(_store(), images(), _outputs(), inference, _places())


@cache
def _places() -> Places:
    told = settings()
    return Places(
        told.pictures_bucket,
        told.models_bucket,
        told.events_queue_url,
        told.retention_days,
        told.feed_shards,
        told.prices,
    )


@cache
def _patience() -> Patience:
    told = settings()
    return Patience(told.job_wait_seconds, told.job_run_seconds, told.settle_after_seconds)


@cache
def _store() -> DynamoJobs:
    told = settings()
    return DynamoJobs(_client("dynamodb"), told.jobs_table, told.models_table, told.feed_shards)


@cache
def _open_jobs() -> OpenJobs:
    return OpenJobs(_store(), _outputs(), _crowd(), settings().feed_shards)


@cache
def _crowd() -> Crowd:
    told = settings()
    return Crowd(_store(), told.max_open_jobs_per_owner, told.max_open_jobs)


@cache
def _endpoint_source() -> SageMakerEndpoints:
    return SageMakerEndpoints(_client("sagemaker"), settings().endpoint_prefix)


@cache
def _endpoint_control() -> SageMakerControl:
    told = settings()
    surroundings = Surroundings(told.worker_role, told.pictures_bucket, told.results_topic)
    return SageMakerControl(_client("sagemaker"), _endpoint_source(), surroundings)


@cache
def _scaling() -> AutoScaling:
    prefix = settings().endpoint_prefix
    return AutoScaling(_client("application-autoscaling"), _client("cloudwatch"), prefix)


@cache
def _outputs() -> S3Outputs:
    return S3Outputs(_client("s3"), settings().pictures_bucket)
