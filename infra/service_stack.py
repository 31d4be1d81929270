"""The part of a stage that a release replaces: layers, functions, API, events, alarms, and the worker's role."""

import hashlib
import json
import tomllib
from dataclasses import replace
from pathlib import Path

from aws_cdk import Annotations, CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from darkroom.settings import PACKAGES_PREFIX, OperatorSettings, Settings
from infra import bundling, permissions, worker
from infra.api import STAGE_NAME, Api
from infra.dashboard import Dashboard
from infra.data_stack import DataStack
from infra.deployed import stack_names
from infra.events import EndpointEvents, Events, Minutes, Progress, Steps, Sweeps
from infra.firewall import Firewall
from infra.function import Common, Function, architecture
from infra.functions import FUNCTIONS, ROUTES
from infra.grants import policy
from infra.monitoring import Monitoring, alarm_topics
from infra.page import Page
from infra.stage import Stage
from infra.unpacking import Folder, Unpacked
from layers import bytecode
from layers.page import build

UNPACK = "unpack_asset"


class ServiceStack(Stack):
    """The running part of a stage. It stores nothing: all data is in the data stack."""

    def __init__(self, scope: Construct, stage: Stage, data: DataStack, page: Path | None = None) -> None:
        """`page` is the folder with a build of the page; without one it is built."""
        super().__init__(scope, stack_names(stage.name)[1], description="Darkroom: API, functions and events")
        self.waf = stage.waf
        self._stage = stage
        # Imported by its ARN, so that the CDK does not change the key's policy in the data stack.
        self._key = kms.Key.from_key_arn(self, "CustomerKey", data.key.key_arn) if data.key and stage.encrypts else None
        self.events = Events(self, _timeout("job_events"), self._key, stage.sns_key)
        self.progress = Progress(self, handling=_timeout("job_progress"), key=self._key)
        self.imports = Steps(self, "Imports", handling=_timeout("checkpoint_imports"), key=self._key)
        self.deletions = Steps(self, "Deletions", handling=_timeout("job_deletions"), key=self._key)
        self.endpoint_events = EndpointEvents(self, stage.name, handling=_timeout("endpoint_events"), key=self._key)
        self.sweeps = Sweeps(self, key=self._key)
        self._worker = worker.package(stage)
        package = self._package()
        files = self._page_files(page)
        self._permissions = permissions.Permissions(
            self,
            stage,
            data,
            self.events,
            self.progress,
            self.imports,
            self.deletions,
            self.endpoint_events,
            self.sweeps,
            [folder.asset for folder in (package, files) if folder],
        )
        self.worker_grants = self._permissions.worker()
        self.worker_role = iam.Role(
            self,
            "WorkerRole",
            description=f"Darkroom {stage.name}: what SageMaker and the worker's container may do",
            # No other account can let SageMaker use this role (IAM User Guide, "The confused deputy problem").
            assumed_by=iam.ServicePrincipal(
                "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            inline_policies=policy(self.worker_grants),
        )
        self.functions = self._functions(data, package)
        self.events.feed(self.functions["job_events"].live)
        self.progress.feed(self.functions["job_progress"].live)
        self.imports.feed(self.functions["checkpoint_imports"].live)
        self.deletions.feed(self.functions["job_deletions"].live)
        self.endpoint_events.feed(self.functions["endpoint_events"].live)
        self.sweeps.call(self.functions["sweeper"].live)
        Minutes(self).call(self.functions["scaler"].live)
        self.api = Api(
            self,
            stage,
            authorizer=self.functions["authorizer"].live,
            routes={path: self.functions[name].live for path, name in ROUTES.items()},
            key=self._key,
        )
        self.page = self._page(files, data) if files else None
        if stage.waf:
            Firewall(self, stage, self.api.rest)
        self._watch()
        self._outputs()
        Tags.of(self).add("darkroom:stage", stage.name)

    def _watch(self) -> None:
        """The alarms and the dashboard."""
        functions = {name: function.code for name, function in self.functions.items()}
        dead_letters = {
            "DeadLetters": self.events.dead_letters,
            "Undelivered": self.events.undelivered,
            "ProgressDeadLetters": self.progress.dead_letters,
            "ImportDeadLetters": self.imports.dead_letters,
            "DeletionDeadLetters": self.deletions.dead_letters,
            "EndpointDeadLetters": self.endpoint_events.dead_letters,
            "SweepDeadLetters": self.sweeps.dead_letters,
        }
        Monitoring(
            self,
            dead_letters=dead_letters,
            functions=functions,
            refusing={"authorizer"},
            api=self.api.rest,
            stage=self._stage.name,
            scheduled={name: functions[name] for name in ("sweeper", "scaler")},
            topics=alarm_topics(self, self._stage, self._key),
        )
        Dashboard(self, self._stage.name, functions, dead_letters, self.api.rest)

    def _package(self) -> Folder | None:
        """The worker's package; a word to whoever deploys where there is no worker at all."""
        if found := self._worker:
            return Folder(self, "WorkerPackage", str(found.folder), found.digest)
        if not self._stage.worker_image:
            words = "There is no package of the worker, so endpoints need an `image`: `make worker` builds one."
            Annotations.of(self).add_info(words)
        return None

    def _page_files(self, built: Path | None) -> Folder | None:
        """The build of the page, where the stage has one. Raises BuildError."""
        if not self._stage.page:
            return None
        try:
            found = build.Page(built) if built else build.built()
        except build.PageError as error:
            raise bundling.BuildError(f"{error} To deploy without the page: -c page=false") from error
        return Folder(self, "PageFiles", str(found.folder), found.digest)

    def _page(self, files: Folder, data: DataStack) -> Page:
        unpacking = self.functions[UNPACK]
        return Page(
            self,
            self._stage,
            folder=files,
            function=unpacking.code,
            role=unpacking.role,
            rest=self.api.rest,
            buckets=[data.pictures_bucket, data.models_bucket],
        )

    def _functions(self, data: DataStack, package: Folder | None) -> dict[str, Function]:
        common = Common(self._stage, self._settings(data), self._layers(), self._release(package), self._key)
        grants = self._permissions.functions(self.worker_role.role_arn)
        unpacking = Function(self, UNPACK, common, grants[UNPACK], FUNCTIONS[UNPACK])
        unpacked = Unpacked(
            self,
            "UnpackedWorker",
            function=unpacking.code,
            bucket=data.models_bucket,
            root=PACKAGES_PREFIX,
            asset=package,
            removable=self._stage.disposable,
        )
        # A place that CloudFormation knows only once the files are there: no endpoint is made before.
        engine = self._worker.engine if self._worker else None
        settings = common.settings.model_copy(update={"package_uri": unpacked.uri, "package_engine": engine})
        others = replace(common, settings=settings)
        return {
            name: unpacking if name == UNPACK else Function(self, name, others, grants[name], spec)
            for name, spec in FUNCTIONS.items()
        }

    def _layers(self) -> list[lambda_.LayerVersion]:
        stage = self._stage
        if not bytecode.interpreter(stage.python):
            Annotations.of(self).add_warning_v2("darkroom:bytecode", bytecode.lacking(stage.python))
        contents = {
            "Dependencies": bundling.dependencies(stage.architecture, stage.python),
            "Shared": bundling.shared(stage.python),
        }
        return [
            lambda_.LayerVersion(self, name, code=code, compatible_architectures=[architecture(stage)])
            for name, code in contents.items()
        ]

    def _release(self, package: Folder | None) -> str:
        """Darkroom's version, and a digest of all that a version of a function holds: CloudFormation makes another
        version only where the function's own text in the template has changed, which names layers and the worker's
        package without their content."""
        content = [bundling.everything(self._stage.python), self._stage.model_dump_json()]
        content.append(package.digest if package else "")
        return f"{_version()}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]}"

    def _settings(self, data: DataStack) -> Settings:
        return Settings(
            stage=self._stage.name,
            version=_version(),
            jobs_table=data.jobs_table.table_name,
            models_table=data.models_table.table_name,
            keys_table=data.keys_table.table_name,
            pictures_table=data.pictures_table.table_name,
            usage_table=data.usage_table.table_name,
            pictures_bucket=data.pictures_bucket.bucket_name,
            models_bucket=data.models_bucket.bucket_name,
            progress_queue_url=self.progress.queue.queue_url,
            imports_queue_url=self.imports.queue.queue_url,
            deletions_queue_url=self.deletions.queue.queue_url,
            admin_secret=data.admin_arn,
            results_topic=self.events.topic.topic_arn,
            worker_role=self.worker_role.role_arn,
            region=self.region,
            package_uri="",
            package_engine=None,
            dead_letter_queues=self._dead_letter_queues(),
            **{name: getattr(self._stage, name) for name in OperatorSettings.model_fields},
        )

    def _dead_letter_queues(self) -> tuple[str, ...]:
        """Each as `name|url|source`. The queue of failed sweeps has no source, for a later sweep does the work."""
        events, imports = self.events.queue.queue_url, self.imports.queue.queue_url
        return (
            f"events|{self.events.dead_letters.queue_url}|{events}",
            f"undelivered|{self.events.undelivered.queue_url}|{events}",
            f"progress|{self.progress.dead_letters.queue_url}|{self.progress.queue.queue_url}",
            f"imports|{self.imports.dead_letters.queue_url}|{imports}",
            f"deletions|{self.deletions.dead_letters.queue_url}|{self.deletions.queue.queue_url}",
            f"endpoints|{self.endpoint_events.dead_letters.queue_url}|{self.endpoint_events.queue.queue_url}",
            f"sweeps|{self.sweeps.dead_letters.queue_url}|",
        )

    def _outputs(self) -> None:
        for name, value in {
            "ApiUrl": self.api.rest.url,
            "ApiId": self.api.rest.rest_api_id,
            "ApiStage": STAGE_NAME,
            "EventsQueueUrl": self.events.queue.queue_url,
            "ProgressQueueUrl": self.progress.queue.queue_url,
            "ResultsTopicArn": self.events.topic.topic_arn,
            "WorkerRoleArn": self.worker_role.role_arn,
            "InstanceType": self._stage.instance_type,
        }.items():
            CfnOutput(self, name, value=value)


def _version() -> str:
    project = tomllib.loads((bundling.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def _timeout(function: str) -> Duration:
    return Duration.seconds(FUNCTIONS[function].seconds)
