"""The one place that puts real adapters into services. Everything is made at its first use and kept
for the life of the process."""

from functools import cache
from typing import Any

from darkroom.aws.clients import client
from darkroom.aws.endpoints import SageMakerControl, SageMakerEndpoints, Surroundings
from darkroom.aws.jobs import DynamoJobs
from darkroom.aws.keys import DynamoCounts, DynamoKeys, SecretsManagerAdmin
from darkroom.aws.model_files import S3ModelFiles
from darkroom.aws.models import DynamoShelf
from darkroom.aws.pictures import S3Images, S3Outputs
from darkroom.aws.queue import SqsImports
from darkroom.aws.sagemaker import SageMakerInference
from darkroom.aws.scaling import AutoScaling
from darkroom.checkpoints.imports import Imports
from darkroom.checkpoints.networks import Networks
from darkroom.checkpoints.service import Checkpoints
from darkroom.endpoints.fleet import Fleet
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.sweep import EndpointSweep, Guard
from darkroom.images.service import Images
from darkroom.jobs.events import Events
from darkroom.jobs.open import OpenJobs
from darkroom.jobs.service import Jobs, Places
from darkroom.keys.pace import Pace
from darkroom.keys.service import Gate, Keys
from darkroom.settings import Settings
from darkroom.web.fetch import Https

_client = cache(client)


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
def endpoint_sweep() -> EndpointSweep:
    """The sweeper's round over the endpoints."""
    guard = Guard(settings().idle_hours, settings().idle_to_zero)
    return EndpointSweep(fleet(), _endpoint_source(), _endpoint_control(), _scaling(), _open_jobs(), guard)


@cache
def jobs() -> Jobs:
    """The jobs, with all they need."""
    told = settings()
    places = Places(
        told.pictures_bucket,
        told.models_bucket,
        told.events_queue_url,
        told.retention_days,
        told.feed_shards,
        told.prices,
    )
    inference = SageMakerInference(_client("sagemaker-runtime"), _client("s3"), told.pictures_bucket)
    return Jobs(_store(), images(), _outputs(), shelf(), Networks(shelf()), endpoints(), inference, places)


@cache
def events() -> Events:
    """What the queue's messages are handed to."""
    return Events(_store(), _outputs())


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
def _store() -> DynamoJobs:
    told = settings()
    return DynamoJobs(_client("dynamodb"), told.jobs_table, told.models_table, told.feed_shards)


@cache
def _open_jobs() -> OpenJobs:
    return OpenJobs(_store(), settings().feed_shards)


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
