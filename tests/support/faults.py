"""Faults at AWS calls: a wire between botocore and moto that breaks one call in a scenario, and a world that then does
what would happen in reality (callers repeat, queues deliver again, workers answer, time passes, the sweeper comes).

Every scenario is first run without a fault, to learn its calls; then once more for each call and fault that lasts
(every try of the SDK meets it), and for each call with a fault that passes (the first try's answer is lost). `Outcome`
says in few words what became of it.

SageMaker's control plane and Application Auto Scaling are fakes above botocore: there a fault lasts, for the tries of
the SDK lie below.
"""

import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.retries.quota import RetryQuota
from moto import backends
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from urllib3.exceptions import ProtocolError

from darkroom.endpoints.model import EndpointTags
from darkroom.errors import Busy, Throttled
from darkroom.jobs.model import answer_key, cancel_key, output_prefix
from darkroom.jobs.runs import Run
from darkroom.jobs.state import ENDS
from functions.scaler.handler import handler as scaler
from functions.sweeper.handler import handler as sweeper
from infra.problems import PROBLEMS
from tests.support.aws import REGION, SETTINGS, TIMEOUTS
from tests.support.events import completed, deliver_to, manifest
from tests.support.http import Context, Reply, call
from tests.support.sagemaker import FakeSageMaker, FakeScaling
from tests.support.stage import Stage, moto_stage

ACCOUNT = "123456789012"
"""The account of moto."""
BEFORE, AFTER, THROTTLE = "error before", "error after", "throttle"
TIMEOUT_BEFORE, TIMEOUT_AFTER = "time-out before", "time-out after"
BROKEN_OFF = "broken off"
FAULTS = (BEFORE, AFTER, THROTTLE, BROKEN_OFF, TIMEOUT_BEFORE, TIMEOUT_AFTER)
"""An answer 500 or a read time-out, before or after the call had its effect, throttling, which has none, and an
object whose bytes stop coming."""
_AFTERWARDS = (AFTER, TIMEOUT_AFTER)
_READS = ("Get", "Head", "List", "Query", "BatchGet", "Describe")
QUEUES = ("imports", "deletions", "events", "dead-events", "dead-sweeps")
GATEWAY = PROBLEMS["AUTHORIZER_FAILURE"].status
"""What API Gateway answers when its authorizer breaks."""


@dataclass(frozen=True)
class Fault:
    """A fault of a kind at the call `name` (`GetItem 2` is the second GetItem of a scenario)."""

    name: str
    kind: str
    lasts: bool


class Broken(AssertionError):
    """The promise is broken."""


class Wire:
    """Everything that botocore sends comes by here; moto is AWS, but for `InvokeEndpointAsync`."""

    def __init__(self) -> None:
        self.listening = False
        self.fault: Fault | None = None
        self.calls: list[str] = []
        self.at_ports: set[str] = set()
        self.tries = 0
        self.invoked: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self._named: dict[str, str] = {}
        self._tokens: dict[str, bytes] = {}

    def send(self, aws: Callable[..., AWSResponse], event_name: str, request: Any, **more: Any) -> AWSResponse:
        """Answer one HTTP request; `aws` is moto."""
        _, service, operation = event_name.split(".")
        answer = partial(self._aws, aws, event_name, service, operation, request, **more)
        if not self.listening:
            return answer()
        fault = self._met(self._name(operation, request.headers["amz-sdk-invocation-id"].decode()))
        if fault is None:
            return answer()
        if fault.kind == BROKEN_OFF:
            whole = answer()
            return AWSResponse(request.url, whole.status_code, whole.headers, _BrokenOff(b""))  # type: ignore[arg-type]
        if fault.kind in _AFTERWARDS:
            answer()
        if fault.kind in (TIMEOUT_BEFORE, TIMEOUT_AFTER):
            raise ReadTimeoutError(endpoint_url=request.url)
        return _refusal(service, operation, request.url, fault.kind)

    def port(self, afterwards: bool, operation: str) -> None:
        """A call of a fake above botocore is about to be carried out, or has been `afterwards`."""
        if not self.listening:
            return
        if not afterwards:
            self.calls.append(f"{operation} {self._count(operation)}")
            self.at_ports.add(self.calls[-1])
        if not self.fault or (self.fault.kind in _AFTERWARDS) != afterwards:
            return
        if self._met(f"{operation} {self._count(operation) - 1}"):
            raise Throttled("aws_busy", "x") if self.fault.kind == THROTTLE else Busy("aws_busy", "x")

    def calm(self) -> None:
        """Once a request or a message has met the fault, the next one does not."""
        if self.tries:
            self.fault = None

    def _count(self, operation: str) -> int:
        return sum(name.rpartition(" ")[0] == operation for name in self.calls) + 1

    def _name(self, operation: str, invocation: str) -> str:
        """The call that a try belongs to: the SDK gives all tries of a call one id."""
        if invocation not in self._named:
            self._named[invocation] = f"{operation} {self._count(operation)}"
            self.calls.append(self._named[invocation])
        return self._named[invocation]

    def _met(self, name: str) -> Fault | None:
        fault = self.fault
        if fault is None:
            return None
        same = name == fault.name
        # Our own tries of a call are calls of their own for the SDK.
        again = self.tries and name.split()[0] == fault.name.split()[0] == "InvokeEndpointAsync"
        if not (same or again):
            return None
        self.tries += 1
        return fault if fault.lasts or self.tries == 1 else None

    def _aws(
        self, aws: Callable[..., AWSResponse], event_name: str, service: str, operation: str, request: Any, **more: Any
    ) -> AWSResponse:
        if service == "sagemaker-runtime":
            return self._sagemaker(request)
        if service == "sqs":
            # Nobody waits here.
            request.body = _impatient(request.body)
        if operation != "TransactWriteItems":
            return aws(event_name, request, **more)
        # DynamoDB answers a token that it knows as it did before; moto knows no tokens.
        token = json.loads(request.body)["ClientRequestToken"]
        if token not in self._tokens:
            answer = aws(event_name, request, **more)
            if answer.status_code != 200:
                return answer
            self._tokens[token] = answer.content
        return _answer(request.url, 200, self._tokens[token])

    def _sagemaker(self, request: Any) -> AWSResponse:
        at = f"s3://{SETTINGS.pictures_bucket}"
        body = request.body
        if source := request.headers.get("X-Amzn-SageMaker-InputLocation"):
            key = source.decode().removeprefix(f"{at}/")
            body = _backend("s3", "aws").buckets[SETTINGS.pictures_bucket].keys[key].value
        sent = json.loads(body)
        self.invoked.append(sent)
        run = Run.named(request.headers["X-Amzn-SageMaker-Inference-Id"].decode())
        assert run is not None
        self.runs.append(run)
        places = {
            "X-Amzn-SageMaker-OutputLocation": f"{at}/{answer_key(run.job_id, run.number)}",
            "X-Amzn-SageMaker-FailureLocation": f"{at}/failures/{sent['job_id']}-error.out",
        }
        return _answer(request.url, 202, b"{}", places)


class _BrokenOff(MockRawResponse):
    def read(self, *_: Any) -> bytes:
        raise ProtocolError("the connection was closed")


def _answer(url: str, status: int, body: bytes, headers: dict[str, str] | None = None) -> AWSResponse:
    return AWSResponse(url, status, headers or {}, MockRawResponse(body))  # type: ignore[arg-type]


def _refusal(service: str, operation: str, url: str, kind: str) -> AWSResponse:
    throttles = {"dynamodb": (400, "ProvisionedThroughputExceededException"), "s3": (503, "SlowDown")}
    status, code = throttles.get(service, (400, "ThrottlingException")) if kind == THROTTLE else (500, "InternalError")
    body = f"<Error><Code>{code}</Code></Error>" if service == "s3" else json.dumps({"__type": code})
    return _answer(url, status, b"" if operation.startswith("Head") else body.encode())


def _impatient(body: bytes | str) -> bytes:
    sent = json.loads(body)
    return json.dumps({**sent, **{name: 0 for name in ("WaitTimeSeconds", "DelaySeconds") if name in sent}}).encode()


class Clock:
    """Now, and `ahead` seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class World:
    """A stage, and everybody who has to do with it. `notes` is what became of a fault."""

    stage: Stage
    wire: Wire
    sqs: Any
    clock: Clock
    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    scaling: FakeScaling = field(default_factory=FakeScaling)
    picture: str = ""
    job: str = ""
    notes: list[str] = field(default_factory=list)
    usual: set[str] = field(default_factory=set)
    answered: int = 0

    def note(self, text: str) -> None:
        """Something happened; once is enough, and what happens without a fault too is not told."""
        if text not in self.notes and text not in self.usual:
            self.notes.append(text)

    # Those who ask.

    def ask(self, method: str, path: str, body: Any = None, *, want: int = 200, **more: Any) -> Reply:
        """What a good caller does: it repeats what was answered with 5xx."""
        for _ in range(3):
            reply = call(method, path, body, **more)
            self.wire.calm()
            if reply.status == 503:
                assert "Retry-After" in reply.headers
            if reply.status < 500:
                # A repeat finds what the first one made.
                if reply.status not in (want, 200 if want == 201 else want):
                    self.note(f"reported as `{reply.code}`")
                return reply
            self.note(f"answered {reply.status}, repeated by the caller")
        raise Broken(f"{method} {path} still answers {reply.status}: {reply.body}")

    def deliver(self, function: str, message: Any) -> None:
        """What a queue does: it brings again what was given back."""
        for _ in range(5):
            if not deliver_to(function, message):
                return
            self.wire.calm()
            self.note("given back to the queue")
        raise Broken(f"{function} gives a message back every time")

    def sweep(self) -> None:
        """One round of the sweeper."""
        self._round(sweeper)

    def scale(self) -> None:
        """One round of the scaler."""
        self._round(scaler)

    def _round(self, handler: Callable[..., None]) -> None:
        """What the schedule does: one round, and the next one if it failed."""
        for _ in range(3):
            try:
                handler({}, Context())
            except Exception:
                self.note("the round fails with an alarm, the next one goes on")
            else:
                return
            finally:
                self.wire.calm()
        raise Broken("every round fails")

    # What happens by itself.

    def go_on(self) -> None:
        """Steps are brought, endpoints settle, workers answer."""
        self.import_steps()
        self.deletion_steps()
        for name in self.sagemaker.settle():
            self.deliver("endpoint_events", {"detail": {"EndpointName": name}})
        while self.answered < len(self.wire.invoked):
            self.answered += 1
            run = self.wire.runs[self.answered - 1]
            self.deliver("job_events", completed(run.job_id, self.painted(run.job_id, run.number), run.number))

    def import_steps(self) -> None:
        """Bring the steps of imports until none is left."""
        self._steps(SETTINGS.imports_queue_url, "checkpoint_imports")

    def deletion_steps(self) -> None:
        """Bring the steps of deletions until none is left."""
        self._steps(SETTINGS.deletions_queue_url, "job_deletions")

    def _steps(self, url: str, function: str) -> None:
        for _ in range(30):
            if not lying("sqs", url.rpartition("/")[2]):
                return
            quiet, self.wire.listening = self.wire.listening, False
            [message] = self.sqs.receive_message(QueueUrl=url)["Messages"]
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            self.wire.listening = quiet
            self.deliver(function, message["Body"])
            if self.wire.fault and self.wire.fault.lasts and self.wire.tries:
                self.note("tried again by a later step")
            self.wire.calm()
        raise Broken(f"the steps of {function} never end")

    def painted(self, job_id: str, run: int = 1) -> dict[str, Any]:
        """A worker paints the job, or stops at its marker; the answer."""
        pictures = SETTINGS.pictures_bucket
        if cancel_key(job_id) in lying("s3", pictures):
            answer: dict[str, Any] = {"error": {"code": "cancelled", "message": "The job was cancelled."}}
        else:
            answer = manifest(job_id)
            self.stage.s3.put_object(Bucket=pictures, Key=f"{output_prefix(job_id)}0.png", Body=b"x")
        self.stage.s3.put_object(Bucket=pictures, Key=answer_key(job_id, run), Body=json.dumps(answer).encode())
        return answer

    # The promise.

    def complaints(self) -> list[str]:
        """All that is not as it should be once everything has come to its end."""
        return [
            *self._jobs(),
            *self._invocations(),
            *self._shelf(),
            *self._keys(),
            *self._endpoints(),
            *self._queues(),
            *self._pictures(),
        ]

    def jobs(self) -> dict[str, str]:
        """Jobs and their statuses."""
        rows = lying("dynamodb", SETTINGS.jobs_table)
        return {row["id"]["S"]: row["status"]["S"] for row in rows if "status" in row}

    def _jobs(self) -> Iterator[str]:
        jobs, objects = self.jobs(), lying("s3", SETTINGS.pictures_bucket)
        for job_id, status in jobs.items():
            shown = self.stage.services.jobs.get(job_id)
            if status not in ENDS:
                yield f"a job is {status}"
            elif status == "fail" and not (shown.error and shown.error.message):
                yield "a job failed without a reason"
            elif status == "succeed" and not {image.key for image in shown.images} <= set(objects):
                yield "a picture is missing"
        for key in objects:
            kind, _, rest = key.partition("/")
            if kind != "images" and jobs.get(rest[:36]) not in ("succeed", "fail"):
                yield f"left in S3: {kind}/…{rest[36:]}"

    def _invocations(self) -> Iterator[str]:
        runs: dict[str, list[dict[str, Any]]] = {}
        for sent in self.wire.invoked:
            runs.setdefault(sent["job_id"], []).append(sent)
        for same in runs.values():
            told = [_without_bytes(sent) for sent in same]
            if len(same) > 2 or any(other != told[0] for other in told):
                yield "a job was run in different ways, or too often"

    def _shelf(self) -> Iterator[str]:
        rows = lying("dynamodb", SETTINGS.models_table)
        objects = set(lying("s3", SETTINGS.models_bucket))
        uploads = set(_backend("s3", "aws").buckets[SETTINGS.models_bucket].multiparts)
        for row in rows:
            status = row["status"]["S"]
            if status == "importing":
                yield "an import never ends"
            if status == "uploading" and row["upload_id"]["S"] not in uploads:
                yield "the upload of a row is gone"
            if status == "active" and "owner" in row and object_of(row) not in objects:
                yield "an active file has no bytes"
        active = {object_of(row) for row in rows if row["status"]["S"] == "active"}
        if objects - active:
            yield "bytes without an active file"

    def _keys(self) -> Iterator[str]:
        rows = lying("dynamodb", SETTINGS.keys_table)
        names = Counter(row["owner"]["S"] for row in rows if "owner" in row)
        if any(count > 2 for count in names.values()):
            yield "more than two keys of one name"

    def _endpoints(self) -> Iterator[str]:
        there = {found.name for found in self.sagemaker.endpoints}
        parts = [part for kind in self.sagemaker.parts_made.values() for part in kind]
        if any(part[:-9] not in there for part in parts) or set(self.scaling.stands) - there:
            yield "left of an endpoint that is gone"
        for found in self.sagemaker.endpoints:
            tags = self.sagemaker.tagged.get(found.name, {})
            bounds = EndpointTags(None, tags).bounds
            if bounds and not (found.name in self.scaling.stands and self.scaling.stands[found.name].fits(bounds)):
                yield "an endpoint without scaling"

    def _pictures(self) -> Iterator[str]:
        if any("removing" in row for row in lying("dynamodb", SETTINGS.pictures_table)):
            yield "the removal of a picture was begun and never ended"

    def _queues(self) -> Iterator[str]:
        for name in ("imports", "deletions"):
            if lying("sqs", name):
                yield f"a step of {name} is left"


def _without_bytes(sent: dict[str, Any]) -> dict[str, Any]:
    """A request without what the shelf knows of a file's bytes, which is told in the first run only."""
    checkpoint = sent.get("checkpoint") or {}
    return {**sent, "checkpoint": {name: checkpoint.get(name) for name in ("name", "s3")}}


def _backend(service: str, region: str = REGION) -> Any:
    return backends.get_backend(service)[ACCOUNT][region]  # type: ignore[call-overload]


def object_of(row: Any) -> str:
    """The key of the object that a row of the models table names."""
    default = f"models/{row['kind']['S']}/{row['name']['S']}"
    return str(row["object"]["S"]) if "object" in row else default


def messages_of(queue: Any) -> list[Any]:
    """All messages of moto's queue, also those that somebody has received: moto has no public name for them."""
    return queue._messages  # type: ignore[no-any-return]  # noqa: SLF001


def lying(service: str, name: str) -> list[Any]:
    """All items of a table, keys of a bucket or bodies of a queue, read inside moto: a call takes ten times as long."""
    if service == "s3":
        return list(_backend(service, "aws").buckets[name].keys)
    if service == "sqs":
        return [message.body for message in messages_of(_backend(service).queues[name])]
    items = _backend(service).tables[name].items.values()
    return [
        item.to_json()["Attributes"] for part in items for item in (part.values() if isinstance(part, dict) else [part])
    ]


@dataclass(frozen=True)
class Scenario:
    """What a function is asked to do: `act` while faults may strike, `prepare` before. `check` says what is wrong once
    all has come to its end; it gets the world, and returns complaints. Calls whose names begin with one of `spared` are
    broken in a scenario before this one already."""

    function: str
    what: str
    act: Callable[[World], object]
    prepare: Callable[[World], object] = lambda world: None
    check: Callable[[World], Iterable[str]] = lambda world: ()
    spared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one fault at one call: in words, and what is wrong then."""

    scenario: Scenario
    fault: Fault
    words: str
    wrong: tuple[str, ...]


@contextmanager
def faulty_stage() -> Iterator[Callable[[], World]]:
    """A stage on moto with the wire in between; yields what makes a fresh world on it."""
    wire, clock = Wire(), Clock()
    send = BotocoreStubber.__call__

    def by_wire(stubber: BotocoreStubber, event_name: str, request: Any, **more: Any) -> AWSResponse:
        return wire.send(partial(send, stubber), event_name, request, **more)  # type: ignore[arg-type]

    with ExitStack() as stack:
        stage = stack.enter_context(moto_stage())
        for owner, name, made in (
            (BotocoreStubber, "__call__", by_wire),
            (RetryQuota, "acquire", lambda *_: True),
            (time, "sleep", lambda seconds: None),
        ):
            stack.enter_context(patch.object(owner, name, made))
        sqs = boto3.client("sqs", region_name=REGION)
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
        letters = (f"events|{urls['dead-events']}|{urls['events']}", f"sweeps|{urls['dead-sweeps']}|")

        def fresh() -> World:
            _forget(stage)
            wire.__init__()  # type: ignore[misc]
            clock.ahead = 0.0
            world = World(stage, wire, sqs, clock)
            for fake in (world.sagemaker, world.scaling):
                fake.on_call, fake.after_call = partial(wire.port, False), partial(wire.port, True)
            stage.sagemaker, stage.scaling = world.sagemaker, world.scaling
            stage.configure(clock, threads=1, dead_letter_queues=letters)
            del stage.adapters.inference  # The real one, for the wire is below it.
            stage.model("v1-5.safetensors")
            return world

        yield fresh


def _forget(stage: Stage) -> None:
    """As if nothing had ever happened, but with the clients as they are: making them takes a second."""
    for table in _backend("dynamodb").tables.values():
        table.items.clear()
    for bucket in _backend("s3", "aws").buckets.values():
        bucket.keys.clear()
        bucket.multiparts.clear()
    for queue in _backend("sqs").queues.values():
        messages_of(queue).clear()


def calls_of(fresh: Callable[[], World], scenario: Scenario) -> list[Fault]:
    """Every fault that a scenario can meet, learned by running it without one."""
    world = fresh()
    words, wrong = _play(world, scenario)
    assert (words, wrong) == (NOTHING, ()), f"{scenario.what}, without a fault: {words} {wrong}"
    found = []
    for name in world.wire.calls:
        if name.startswith(scenario.spared):
            continue
        kinds = [kind for kind in FAULTS if not (kind in _AFTERWARDS and name.startswith(_READS))]
        if not name.startswith("GetObject"):
            kinds.remove(BROKEN_OFF)
        if name not in world.wire.at_ports:
            # For the SDK one lost answer is as good as the other; only whether the call had its effect matters.
            found.append(Fault(name, kinds[-1], lasts=False))
        found += [Fault(name, kind, lasts=True) for kind in kinds]
    return found


def some_of(scenario: Scenario, faults: Iterable[Fault]) -> list[Fault]:
    """Of the faults of each call those that `make test` has time for: one that strikes after the call had its effect,
    where there is one, and one of the others. Which one differs from call to call, so that every kind is tried."""
    found: list[Fault] = []
    for name, of_call in groupby(faults, key=lambda fault: fault.name):
        turn = zlib.crc32(f"{scenario.function} {scenario.what} {name}".encode())
        all_of_it = list(of_call)
        for afterwards in (False, True):
            kinds = [fault for fault in all_of_it if (fault.lasts and fault.kind in _AFTERWARDS) is afterwards]
            found += [kinds[turn % len(kinds)]] if kinds else []
    return found


def run(fresh: Callable[[], World], scenario: Scenario, fault: Fault) -> Outcome:
    """Play a scenario with a fault."""
    world = fresh()
    try:
        words, wrong = _play(world, scenario, fault)
    except Broken as broken:
        return Outcome(scenario, fault, ", ".join(world.notes), (str(broken),))
    if not world.wire.tries:
        wrong = (*wrong, "the fault was not met")
    return Outcome(scenario, fault, words, wrong)


NOTHING = "goes on without it"
_LATER = TIMEOUTS.forgotten + 90_000
_ROUNDS = (TIMEOUTS.settle_after, 3 * TIMEOUTS.settle_after, TIMEOUTS.deadline, TIMEOUTS.forgotten, _LATER, _LATER)
"""Seconds from now at which the sweeper comes: a round that begins a lap anew leaves it to the next."""


def _play(world: World, scenario: Scenario, fault: Fault | None = None) -> tuple[str, tuple[str, ...]]:
    scenario.prepare(world)
    world.wire.fault, world.wire.listening = fault, True
    scenario.act(world)
    world.wire.listening = False
    retried = world.wire.tries > 1 and not (fault and fault.lasts)
    unmarked = "created" in world.jobs().values()
    world.go_on()
    wrong = list(world.complaints())
    if unmarked and not wrong:
        world.note("settled by the callback")
    # A read that failed has left nothing that a round could find.
    if wrong or (fault and fault.lasts and not fault.name.startswith(_READS)):
        # Rounds after the time of a look, after the deadline, and when nothing can happen to a job any more.
        broken = bool(wrong)
        for ahead in _ROUNDS:
            world.clock.ahead = max(world.clock.ahead, ahead + 60)
            world.sweep()
            world.go_on()
            if not (wrong := world.complaints()):
                break
        if broken and not wrong:
            world.note("healed by the sweeper")
    for job_id, status in world.jobs().items():
        if status == "fail" and (error := world.stage.services.jobs.get(job_id).error):
            world.note(f"the job fails with `{error.code}`")
    wrong += list(scenario.check(world))
    if retried and not world.notes:
        world.note("tried again at once")
    return ", ".join(world.notes) or NOTHING, tuple(wrong)
