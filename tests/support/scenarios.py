"""What every function is asked to do while faults strike: see `tests.support.faults`."""

import base64
import hashlib
import importlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from darkroom.aws.queue import SqsSteps
from darkroom.checkpoints.model import ModelKey
from darkroom.endpoints.model import Bounds, bounds_tags
from darkroom.errors import Busy
from darkroom.keys.api import KeyIn
from darkroom.stalled import STALLED_SECONDS
from tests.support.aws import SETTINGS
from tests.support.events import completed, expired, failed, manifest, progress, stopped
from tests.support.faults import GATEWAY, Broken, Scenario, World, lying
from tests.support.http import Context, Reply, call
from tests.support.models import safetensors
from tests.support.pictures import png
from tests.support.sagemaker import Details, endpoint

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
KEYED = {"Idempotency-Key": "k"}
MODEL = safetensors()
LORA: dict[str, Any] = {"kind": "lora", "name": "Grain.safetensors"}
RENAMED = "fine ink.safetensors"
SELECT = f"kind=lora&name={quote(LORA['name'])}"
ADMIN = "a-very-long-admin-secret"


def submit(world: World, **more: Any) -> str:
    """A job that is there before anything breaks; the worker has it and has not answered."""
    reply = call("POST", "/jobs", {**JOB, **more})
    assert reply.status == 201, reply.body
    world.job = reply.json["id"]
    return world.job


def ended(world: World) -> str:
    """A job that has succeeded."""
    job_id = submit(world)
    world.go_on()
    return job_id


def ends(**counts: int) -> Callable[[World], Iterable[str]]:
    """Exactly so many jobs of each status."""

    def check(world: World) -> Iterable[str]:
        found = sorted(world.jobs().values())
        if found != sorted(status for status, count in counts.items() for _ in range(count)):
            yield f"the jobs are {found}"

    return check


def at_most(number: int) -> Callable[[World], Iterable[str]]:
    """A caller without an Idempotency-Key who repeats a request may get a job more; all of them succeed."""

    def check(world: World) -> Iterable[str]:
        found = list(world.jobs().values())
        if set(found) != {"succeed"} or len(found) > number:
            yield f"the jobs are {found}"

    return check


# authorizer


def let_in(secret: str) -> Callable[[World], None]:
    """Ask the authorizer, as API Gateway does; who gets its 500 asks again."""

    def act(world: World) -> None:
        handler = importlib.import_module("functions.authorizer.handler").handler
        event = {"headers": {"Authorization": f"Bearer {secret or world.job}"}, "methodArn": "arn:a/v1/GET/jobs"}
        for _ in range(3):
            try:
                assert handler(event, None)["context"]["role"] == "admin"
                return
            except Exception as error:
                if str(error) == "Unauthorized":
                    raise Broken("a good key is refused") from error
                world.note(f"answered {GATEWAY} by API Gateway, repeated by the caller")
            finally:
                world.wire.calm()
        raise Broken("nobody is let in")

    return act


def with_key(world: World) -> None:
    world.job = world.stage.services.keys.create(KeyIn(name="alice", role="admin")).secret


# jobs_api


def picture_inside(world: World) -> None:
    inside = base64.b64encode(png()).decode()
    body = {"type": "img2img", "checkpoint": JOB["checkpoint"], "parameters": {"init_images": [inside]}}
    world.ask("POST", "/jobs", body, want=201, headers=KEYED)


def with_pictures(world: World) -> None:
    images = {"init": world.picture, "mask": world.picture}
    world.ask("POST", "/jobs", {**JOB, "type": "img2img", "images": images}, want=201, headers=KEYED)


def upload(world: World) -> None:
    world.picture = world.stage.upload(png())


def upload_long_ago(world: World) -> None:
    upload(world)
    world.stage.age(world.picture, days=60)


def pictured(world: World) -> None:
    upload(world)
    submit(world, type="img2img", images={"init": world.picture})
    world.go_on()


def picture() -> dict[str, Any]:
    return {"sha256": hashlib.sha256(png()).hexdigest(), "bytes": len(png()), "content_type": "image/png"}


def get(path: str, want: int = 200) -> Callable[[World], object]:
    """One request that reads; `{job}` is the world's job."""
    return lambda world: world.ask("GET", path.format(job=world.job), want=want)


def large(world: World) -> None:
    body = {**JOB, "parameters": {"prompt": "a pier", "styles": ["x" * 130_000]}}
    world.ask("POST", "/jobs", body, want=201, headers=KEYED)


def replay(owner: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.ask("POST", f"/jobs/{world.job}/replay", want=201, headers=KEYED, owner=owner)

    return act


def cancel(world: World) -> None:
    world.ask("POST", f"/jobs/{world.job}/cancel")


def delete(world: World) -> None:
    world.ask("DELETE", f"/jobs/{world.job}", want=204)


def two_ended(world: World) -> None:
    """Two jobs that have succeeded."""
    ended(world)
    ended(world)


def delete_named(world: World) -> None:
    """What a good caller does: it sends again what failed."""
    body = {"ids": list(world.jobs())}
    for _ in range(3):
        told = world.ask("POST", "/jobs/delete", body, headers=KEYED).json["jobs"]
        world.wire.calm()
        if not [job for job in told if job["outcome"] == "failed"]:
            break
        world.note("told as failed, sent again by the caller")
    if {job["outcome"] for job in told} != {"deleted"}:
        raise Broken(f"told {told}")


def begin_deletion(world: World) -> None:
    reply = world.ask("POST", "/jobs/delete", {"filters": {"status": ["succeed"]}}, want=202, headers=KEYED)
    world.job = reply.json["id"]


def deletion_begun(world: World) -> None:
    two_ended(world)
    begin_deletion(world)


def deletion_is(status: str, deleted: int) -> Callable[[World], Iterable[str]]:
    """How the deletion ended; what it deleted is gone, and the rest is there."""

    def check(world: World) -> Iterable[str]:
        told = world.stage.services.deletions.get(world.job)
        if (told.status, told.deleted, told.failed) != (status, deleted, 0):
            yield f"the deletion is {told.status} with {told.deleted} deleted and {told.failed} failed"
        yield from ends(succeed=2 - deleted)(world)

    return check


def unmarked(world: World) -> None:
    """A job that was written, and its hand-over broke off."""
    with patch.object(world.stage.adapters.inference, "invoke", side_effect=Busy("aws_busy", "x")):
        submit(world)


def edit(world: World) -> None:
    world.ask("PATCH", f"/jobs/{world.job}", {"rating": 4, "tags": ["sea"]})


def cancel_alone(world: World) -> None:
    # Only time takes the marker away then: no worker ever comes.
    world.usual.add("healed by the sweeper")
    cancel(world)


# job_events


def waits(world: World) -> None:
    """Nobody answers for the first run."""
    submit(world)
    world.answered = len(world.wire.invoked)


def answered(message: Callable[[World], Any]) -> Callable[[World], None]:
    """The worker's answer comes; nobody else answers for it."""

    def act(world: World) -> None:
        world.answered = len(world.wire.invoked)
        world.deliver("job_events", message(world))

    return act


def out_of_time(world: World) -> Any:
    world.usual.add("the job fails with `expired`")
    return expired(world.job)


def painted(world: World) -> Any:
    world.wire.listening = False
    answer = world.painted(world.job)
    world.wire.listening = True
    return answer


def painted_after_all(world: World) -> dict[str, Any]:
    world.wire.listening = False
    world.stage.s3.put_object(Bucket="pictures", Key=f"jobs/{world.job}/output/0.png", Body=png())
    world.wire.listening = True
    return completed(world.job, manifest(world.job))


def in_s3_alone(world: World) -> Any:
    painted(world)
    return completed(world.job)


def raw(world: World) -> Any:
    return completed(world.job, {"images": [base64.b64encode(png(color=(n, n, n))).decode() for n in (1, 2)]})


def broke(world: World) -> Any:
    world.usual.add("the job fails with `worker_failed`")
    return failed(world.job)


def cancelled(world: World) -> None:
    submit(world)
    call("POST", f"/jobs/{world.job}/cancel")


def deleted(world: World) -> None:
    submit(world)
    call("DELETE", f"/jobs/{world.job}")


# checkpoints


def again(ask: Callable[[World], Reply]) -> Callable[[World], None]:
    """A request with an Idempotency-Key whose answer is lost on its way to the caller, who sends it once more."""

    def act(world: World) -> None:
        ask(world)
        ask(world)

    return act


def never_refused(*checks: Callable[[World], Iterable[str]]) -> Callable[[World], Iterable[str]]:
    """All of `checks`, and that the caller was told of no error: its repeat found what the first request made."""

    def check(world: World) -> Iterable[str]:
        yield from (note for note in world.notes if note.startswith("reported as"))
        for one in checks:
            yield from one(world)

    return check


def rows(table: str, number: int) -> Callable[[World], Iterable[str]]:
    """Exactly so many things in a table, the records of Idempotency-Keys left aside."""

    def check(world: World) -> Iterable[str]:
        found = [row for row in lying("dynamodb", table) if "name" in row or "owner" in row]
        if len(found) != number:
            yield f"there are {len(found)} in {table}"

    return check


def register(world: World) -> None:
    world.ask("POST", "/checkpoints", {**LORA, "size": len(MODEL)}, want=201)


def register_once(world: World) -> Reply:
    return world.ask("POST", "/checkpoints", {**LORA, "size": len(MODEL)}, want=201, headers=KEYED)


def registered(world: World) -> None:
    call("POST", "/checkpoints", {**LORA, "size": len(MODEL)})


def send_part(world: World) -> None:
    row = world.stage.adapters.registry.get(ModelKey(LORA["kind"], LORA["name"]))
    assert row is not None
    world.stage.s3.upload_part(
        Bucket=SETTINGS.models_bucket, Key=row.object_key, UploadId=row.upload_id, PartNumber=1, Body=MODEL
    )


def sent(world: World) -> None:
    registered(world)
    send_part(world)


def put_together(world: World) -> None:
    """A complete that broke off after S3 had put the parts together."""
    sent(world)
    row = world.stage.adapters.registry.get(ModelKey(LORA["kind"], LORA["name"]))
    assert row is not None
    files = world.stage.adapters.model_files
    files.complete(row.object_key, row.upload_id or "", files.parts(row.object_key, row.upload_id or ""))


def on_the_shelf(world: World) -> None:
    sent(world)
    assert call("POST", "/checkpoints/complete", LORA).status == 200


def parts(world: World) -> None:
    world.ask("POST", "/checkpoints/parts", {**LORA, "parts": [{"number": 1, "sha256": "0" * 64}]})


def complete(world: World) -> None:
    world.ask("POST", "/checkpoints/complete", LORA)


def remove_file(world: World) -> None:
    world.ask("DELETE", f"/checkpoints?{SELECT}", want=204)


def rename_file(world: World) -> None:
    world.ask("POST", "/checkpoints/rename", {**LORA, "to": RENAMED})


def is_renamed(world: World) -> Iterable[str]:
    """The file is on the shelf under its new name alone."""
    rows = call("GET", f"/checkpoints?kind={LORA['kind']}").json["checkpoints"]
    if [(row["name"], row["status"]) for row in rows] != [(RENAMED, "active")]:
        yield f"the shelf has {[(row['name'], row['status']) for row in rows]}"


def file_is(status: str | None) -> Callable[[World], Iterable[str]]:
    """The file's status in the end, None when it is gone."""

    def check(world: World) -> Iterable[str]:
        row = world.stage.adapters.registry.get(ModelKey(LORA["kind"], LORA["name"]))
        if (row.status if row else None) != status:
            yield f"the file is {row and row.status}"

    return check


def can_be_completed(world: World) -> Iterable[str]:
    """A person goes on with the upload: it must come to its end."""
    call("POST", "/checkpoints/parts", LORA)
    send_part(world)
    if call("POST", "/checkpoints/complete", LORA).status != 200:
        yield "the upload cannot be completed"


class Web:
    """One file on the web."""

    def size(self, url: str) -> int:
        return len(MODEL)

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        return MODEL[first : first + length]


def source(world: World) -> None:
    world.stage.adapters.web = Web()
    world.stage.s3.put_object(Bucket=SETTINGS.pictures_bucket, Key="images/x.safetensors", Body=MODEL)


def begin_import(url: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.ask("POST", "/checkpoints/import", {**LORA, "url": url}, want=202)

    return act


def import_once(world: World) -> Reply:
    return world.ask("POST", "/checkpoints/import", {**LORA, "url": WEB}, want=202, headers=KEYED)


def begun(url: str) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        source(world)
        assert call("POST", "/checkpoints/import", {**LORA, "url": url}).status == 202

    return prepare


WEB = "https://models.example.com/x.safetensors"
S3 = f"s3://{SETTINGS.pictures_bucket}/images/x.safetensors"


# keys, endpoints, dead letters


def make_key(world: World) -> None:
    world.job = world.ask("POST", "/keys", {"name": "alice", "role": "artist"}, want=201).json["secret"]


def make_key_once(world: World) -> Reply:
    reply = world.ask("POST", "/keys", {"name": "alice", "role": "artist"}, want=201, headers=KEYED)
    # A repeat gets the same key with another secret, and the one before stops working.
    world.job = reply.json["secret"]
    return reply


def good_key(world: World) -> Iterable[str]:
    if world.stage.services.authenticator.caller(f"Bearer {world.job}") is None:
        yield "the key does not let anybody in"


def one_key(world: World) -> None:
    world.job = world.stage.services.keys.create(KeyIn(name="alice", role="artist")).id


def withdraw(world: World) -> None:
    world.ask("DELETE", f"/keys/{world.job}", want=204)


def no_key(world: World) -> Iterable[str]:
    if call("GET", "/keys").json["keys"]:
        yield "the key is there still"


# costs and budgets


def spent(world: World) -> None:
    """A job that ended, and a budget."""
    unheard(world)
    world.stage.services.budgets.set("alice", 5, 0.8, "alice")


def set_budget(world: World) -> None:
    world.ask("PUT", "/budgets/stage", {"monthly": 5}, want=200)


def remove_budget(world: World) -> None:
    world.ask("DELETE", "/budgets/alice", want=204)


def budgets(*owners: str | None) -> Callable[[World], Iterable[str]]:
    def check(world: World) -> Iterable[str]:
        if [each["owner"] for each in call("GET", "/budgets").json["budgets"]] != list(owners):
            yield "other budgets"

    return check


def counted(jobs: int) -> Callable[[World], Iterable[str]]:
    """So many jobs are told to cost something or other, each once."""

    def check(world: World) -> Iterable[str]:
        if (found := world.stage.services.costs.month(None, None).jobs) != jobs:
            yield f"{found} jobs are counted"

    return check


NEW = {"name": "new", "max_instances": 2}
NAME = f"{SETTINGS.endpoint_prefix}new"


def make_endpoint(world: World) -> None:
    world.ask("POST", "/endpoints", NEW, want=201)


def make_endpoint_once(world: World) -> Reply:
    return world.ask("POST", "/endpoints", NEW, want=201, headers=KEYED)


def made_endpoint(world: World) -> None:
    assert call("POST", "/endpoints", NEW).status == 201


def standing(world: World) -> None:
    made_endpoint(world)
    world.go_on()


def delete_endpoint(world: World) -> None:
    world.ask("DELETE", "/endpoints/new", want=204)


def busy_endpoint(world: World) -> None:
    standing(world)
    submit(world, endpoint="new")
    world.answered = len(world.wire.invoked)
    world.usual.add("the job fails with `endpoint_deleted`")


def scale_up(world: World) -> Reply:
    return world.ask("PATCH", "/endpoints/new", {"min_instances": 1})


def scaled(world: World) -> Iterable[str]:
    if world.scaling.bounds([NAME]) != {NAME: Bounds(1, 2)}:
        yield "the endpoint scales as before"


def endpoints(number: int) -> Callable[[World], Iterable[str]]:
    """Exactly so many endpoints, one of which was there before."""

    def check(world: World) -> Iterable[str]:
        if len(world.sagemaker.endpoints) != number:
            yield f"there are {len(world.sagemaker.endpoints)} endpoints"

    return check


def endpoint_is(there: bool) -> Callable[[World], Iterable[str]]:
    def check(world: World) -> Iterable[str]:
        if any(found.name == NAME for found in world.sagemaker.endpoints) != there:
            yield f"the endpoint is {'not there' if there else 'there still'}"

    return check


def settled_endpoint(world: World) -> None:
    world.sagemaker.settle()


def endpoint_event(world: World) -> None:
    world.deliver("endpoint_events", {"detail": {"EndpointName": NAME}})


def came_into_service(world: World) -> None:
    made_endpoint(world)
    world.sagemaker.settle()


def was_deleted(world: World) -> None:
    busy_endpoint(world)
    world.sagemaker.endpoints = [endpoint()]


def letters(world: World) -> None:
    url = world.sqs.get_queue_url(QueueName="dead-events")["QueueUrl"]
    for number in range(3):
        world.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"letter": number}))


def redrive(world: World) -> None:
    world.ask("POST", "/dead-letters/events/redrive")


def letters_kept(world: World) -> Iterable[str]:
    """Each lies in the queue it came from or among the dead letters, perhaps in both."""
    found = {body for name in ("events", "dead-events") for body in lying("sqs", name)}
    if len(found) != 3:
        yield f"{3 - len(found)} letters are lost"


# waking and sleeping

SLEEPER = "darkroom-test-a"


def endpoint_of_ours(world: World) -> None:
    """The stage's endpoint may sleep, and is awake."""
    asked = Bounds(0, 1)
    world.sagemaker.tagged[SLEEPER] = bounds_tags(asked)
    world.sagemaker.details[SLEEPER] = Details(instances=1)
    world.scaling.set_up(SLEEPER, asked)


def sleeper(world: World) -> None:
    endpoint_of_ours(world)
    world.sagemaker.details[SLEEPER].instances = 0


def waits_for_sleeper(world: World) -> None:
    """A job came while the endpoint fell asleep."""
    sleeper(world)
    submit(world)
    world.sagemaker.details[SLEEPER].instances = 0


def bounds_moved(world: World) -> None:
    """The endpoint was woken for a job by moving the bounds of its scaling."""
    endpoint_of_ours(world)
    submit(world)
    world.scaling.set_bounds(SLEEPER, Bounds(1, 1))


def job_for_sleeper(world: World) -> None:
    world.ask("POST", "/jobs", JOB, want=201, headers=KEYED)
    if not world.sagemaker.details[SLEEPER].instances:
        world.note("woken by the next round of the scaler")
        world.scale()


def wake_by_event(world: World) -> None:
    world.deliver("endpoint_events", {"detail": {"EndpointName": SLEEPER}})
    if not world.sagemaker.details[SLEEPER].instances:
        world.note("woken by the next round of the scaler")
        world.scale()


def scale(number: int, ahead: int = 0) -> Callable[[World], None]:
    """A round of the scaler so many seconds later, and another one where it did not bring the instances to that
    number."""

    def act(world: World) -> None:
        world.clock.ahead = ahead
        world.scale()
        world.wire.calm()
        if any(instances_are(number)(world)):
            world.note("done by the next round")
            world.scale()

    return act


def instances_are(number: int) -> Callable[[World], Iterable[str]]:
    """The endpoint is to have so many instances, and its bounds are those that were asked for."""

    def check(world: World) -> Iterable[str]:
        found, bounds = world.sagemaker.details[SLEEPER].instances, world.scaling.stands[SLEEPER].bounds
        if (found, bounds) != (number, Bounds(0, 1)):
            yield f"{found} instances within {bounds}"

    return check


# sweeper


def round_at(ahead: int, name: str = "jobs") -> Callable[[World], None]:
    """A round of the sweeper so many seconds later."""

    def act(world: World) -> None:
        world.clock.ahead = ahead
        world.answered = len(world.wire.invoked)
        services = world.stage.services
        with patch.object(services, "rounds", {name: services.rounds[name]}):
            world.sweep()

    return act


def unheard(world: World) -> None:
    """The answer lies in S3, the callback was lost."""
    submit(world)
    world.painted(world.job)


def silent(world: World) -> None:
    submit(world)
    world.usual.add("the job fails with `timed_out`")


def half_cancelled(world: World) -> None:
    submit(world)
    world.stage.adapters.outputs.mark_cancelled(world.job, None)
    world.usual.add("healed by the sweeper")


def cancelled_long_ago(world: World) -> None:
    """A cancelled job whose worker painted and was never heard of again."""
    cancelled(world)
    world.stage.s3.put_object(Bucket=SETTINGS.pictures_bucket, Key=f"jobs/{world.job}/output/0.png", Body=b"x")


def late_answer(world: World) -> None:
    """A job that timed out, and its answer came after all, unheard."""
    submit(world)
    world.clock.ahead = PAST_DEADLINE
    world.stage.services.rounds["jobs"](lambda: 100.0)
    assert list(world.jobs().values()) == ["fail"]
    world.painted(world.job)


def named_no_more(world: World) -> None:
    """A picture whose only job was deleted."""
    pictured(world)
    call("DELETE", f"/jobs/{world.job}")


def no_picture(world: World) -> Iterable[str]:
    if lying("s3", SETTINGS.pictures_bucket) or lying("dynamodb", SETTINGS.pictures_table):
        yield "the picture is there still, or a row of it"


def orphans(world: World) -> None:
    """Objects of a job that was deleted."""
    deleted(world)
    for key in (f"jobs/{world.job}/output/0.png", f"failures/{world.job}-error.out"):
        world.stage.s3.put_object(Bucket=SETTINGS.pictures_bucket, Key=key, Body=b"x")


def steps_lost(prepare: Callable[[World], None]) -> Callable[[World], None]:
    """What `prepare` begins, and none of its messages arrives."""

    def act(world: World) -> None:
        with patch.object(SqsSteps, "send"):
            prepare(world)

    return act


STALLED = int(STALLED_SECONDS) + 100
LOOK, PAST_DEADLINE, FORGOTTEN = 400, 25_600, 5 * 25_600
UNUSED = 91_000
CHOOSING = ("Query", "ListEndpoints", "Describe")
"""How a new job finds its place, the same for all of them."""
ROUND = ("GetItem 1", "ListEndpoints", "Query", "PutItem")
"""What every round does, whatever there is to do."""

SET_UP = ("RegisterScalableTarget", "PutScalingPolicy", "PutMetricAlarm")
AN_HOUR = 3_600

ASSETS = "assets"


def zipped(world: World) -> None:
    """An asset of one file, as the CDK uploads it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("boot.sh", "exec python")
    if ASSETS not in [bucket["Name"] for bucket in world.stage.s3.list_buckets()["Buckets"]]:
        world.stage.s3.create_bucket(Bucket=ASSETS)
    world.stage.s3.put_object(Bucket=ASSETS, Key="a.zip", Body=content.getvalue())


def deployed(world: World) -> None:
    """What CloudFormation does: it shows the reason, and whoever deploys does it again."""
    properties = {"Bucket": ASSETS, "Root": "worker/", "Prefix": "d/", "SourceBucket": ASSETS, "SourceKey": "a.zip"}
    same = {"StackId": "s", "RequestId": "r", "LogicalResourceId": "Worker", "ResponseURL": "https://cloudformation/"}
    handler = importlib.import_module("functions.unpack_asset.handler").handler
    for _ in range(3):
        with patch("urllib.request.urlopen") as answered:
            handler({**same, "RequestType": "Create", "ResourceProperties": properties}, Context())
        answer = json.loads(answered.call_args.args[0].data)
        world.wire.calm()
        if answer["Status"] == "SUCCESS":
            return
        assert answer["Reason"]
        world.note("the deploy fails with the reason, and is done again")
    raise Broken("no deploy goes through")


def file_is_there(world: World) -> Iterable[str]:
    if set(lying("s3", ASSETS)) != {"a.zip", "worker/d/boot.sh"}:
        yield "the asset is not where it belongs"


SCENARIOS = (
    Scenario("authorizer", "a key", let_in(""), with_key),
    Scenario("authorizer", "the first admin key", let_in(ADMIN)),
    Scenario("jobs_api", "POST /images", lambda w: w.ask("POST", "/images", picture(), want=201)),
    Scenario(
        "jobs_api",
        "POST /jobs",
        lambda w: w.ask("POST", "/jobs", JOB, want=201),
        check=at_most(2),
    ),
    Scenario(
        "jobs_api",
        "POST /jobs with an Idempotency-Key",
        lambda w: w.ask("POST", "/jobs", JOB, want=201, headers=KEYED),
        check=ends(succeed=1),
    ),
    Scenario(
        "jobs_api",
        "POST /jobs for an endpoint that sleeps",
        job_for_sleeper,
        sleeper,
        instances_are(1),
        spared=(
            "Query",
            "GetItem",
            "ListEndpoints",
            "ListTags",
            "InvokeEndpointAsync",
            "TransactWriteItems",
            "UpdateItem",
        ),
    ),
    Scenario("jobs_api", "POST /jobs with pictures inside", picture_inside, check=ends(succeed=1), spared=CHOOSING),
    Scenario("jobs_api", "POST /jobs with pictures by id", with_pictures, upload, ends(succeed=1), spared=CHOOSING),
    Scenario(
        "jobs_api",
        "POST /jobs with a picture of two months ago",
        with_pictures,
        upload_long_ago,
        ends(succeed=1),
        spared=CHOOSING,
    ),
    Scenario("jobs_api", "POST /jobs of over 128,000 bytes", large, check=ends(succeed=1), spared=CHOOSING),
    Scenario("jobs_api", "GET /jobs/<id>", get("/jobs/{job}"), ended),
    Scenario("jobs_api", "GET /jobs", get("/jobs"), ended),
    Scenario("jobs_api", "GET /jobs/summary", get("/jobs/summary"), ended),
    Scenario("jobs_api", "POST /jobs/<id>/cancel", cancel, submit, ends(cancelled=1)),
    Scenario("jobs_api", "POST /jobs/<id>/cancel before the hand-over", cancel_alone, unmarked, ends(cancelled=1)),
    Scenario("jobs_api", "POST /jobs/<id>/replay", replay("alice"), pictured, ends(succeed=2), spared=CHOOSING),
    Scenario(
        "jobs_api",
        "POST /jobs/<id>/replay of another owner's job",
        replay("bob"),
        pictured,
        ends(succeed=2),
        spared=CHOOSING,
    ),
    Scenario("jobs_api", "PATCH /jobs/<id>", edit, ended, ends(succeed=1)),
    Scenario("jobs_api", "DELETE /jobs/<id> of a job that has ended", delete, ended, ends()),
    Scenario("jobs_api", "DELETE /jobs/<id> of an open job", delete, submit, ends()),
    Scenario("jobs_api", "POST /jobs/delete with ids", delete_named, two_ended, ends()),
    Scenario("jobs_api", "POST /jobs/delete with filters", begin_deletion, two_ended, deletion_is("done", 2)),
    Scenario("jobs_api", "GET /jobs/deletions/<id>", get("/jobs/deletions/{job}"), deletion_begun),
    Scenario(
        "jobs_api",
        "POST /jobs/deletions/<id>/stop",
        lambda w: w.ask("POST", f"/jobs/deletions/{w.job}/stop"),
        deletion_begun,
        deletion_is("stopped", 0),
    ),
    Scenario("job_deletions", "two jobs", World.deletion_steps, deletion_begun, deletion_is("done", 2)),
    Scenario("job_events", "success", answered(lambda w: completed(w.job, painted(w))), submit, ends(succeed=1)),
    Scenario("job_events", "success, the answer in S3 alone", answered(in_s3_alone), submit, ends(succeed=1)),
    Scenario("job_events", "success with raw pictures", answered(raw), submit, ends(succeed=1)),
    Scenario("job_events", "failure", answered(broke), submit, ends(fail=1)),
    Scenario(
        "job_events",
        "its worker was stopped",
        lambda w: w.deliver("job_events", stopped(w.job)),
        waits,
        ends(succeed=1),
    ),
    Scenario("job_events", "expired in line", answered(out_of_time), submit, ends(fail=1)),
    Scenario("job_progress", "progress", lambda w: w.deliver("job_progress", progress(w.job, 0.5)), submit),
    Scenario(
        "job_events",
        "the worker of a cancelled job stops",
        answered(lambda w: completed(w.job, painted(w))),
        cancelled,
        ends(cancelled=1),
    ),
    Scenario(
        "job_events",
        "a cancelled job is painted after all",
        answered(painted_after_all),
        cancelled_long_ago,
        ends(cancelled=1),
    ),
    Scenario(
        "job_events",
        "the late answer of a deleted job",
        answered(lambda w: completed(w.job, painted(w))),
        deleted,
        ends(),
    ),
    Scenario("checkpoints_api", "GET /checkpoints", get("/checkpoints?kind=lora"), on_the_shelf),
    Scenario("checkpoints_api", "POST /checkpoints", register, check=can_be_completed),
    Scenario("checkpoints_api", "POST /checkpoints/parts", parts, registered, can_be_completed),
    Scenario("checkpoints_api", "POST /checkpoints/complete", complete, sent, file_is("active")),
    Scenario("checkpoints_api", "POST /checkpoints/import", begin_import(WEB), source, file_is("active")),
    Scenario(
        "checkpoints_api",
        "POST /checkpoints with an Idempotency-Key, sent again",
        again(register_once),
        check=never_refused(rows(SETTINGS.models_table, 2), can_be_completed),
    ),
    Scenario(
        "checkpoints_api",
        "POST /checkpoints/import with an Idempotency-Key, sent again",
        again(import_once),
        source,
        never_refused(rows(SETTINGS.models_table, 2), file_is("active")),
    ),
    Scenario("checkpoints_api", "POST /checkpoints/rename", rename_file, on_the_shelf, is_renamed),
    Scenario("checkpoints_api", "DELETE /checkpoints of a file", remove_file, on_the_shelf, file_is(None)),
    Scenario("checkpoints_api", "DELETE /checkpoints of an upload", remove_file, sent, file_is(None)),
    Scenario(
        "checkpoints_api", "DELETE /checkpoints of an upload put together", remove_file, put_together, file_is(None)
    ),
    Scenario("checkpoint_imports", "from the web", World.import_steps, begun(WEB), file_is("active")),
    Scenario("checkpoint_imports", "from S3", World.import_steps, begun(S3), file_is("active")),
    Scenario("keys_api", "GET /keys", get("/keys"), one_key),
    Scenario("keys_api", "POST /keys", make_key, check=good_key),
    Scenario(
        "keys_api",
        "POST /keys with an Idempotency-Key, sent again",
        again(make_key_once),
        check=never_refused(rows(SETTINGS.keys_table, 1), good_key),
    ),
    Scenario("keys_api", "DELETE /keys/<id>", withdraw, one_key, no_key),
    Scenario("costs_api", "GET /costs", get("/costs"), spent, counted(1)),
    Scenario("costs_api", "GET /budgets", get("/budgets"), spent, budgets("alice")),
    Scenario("costs_api", "GET /budgets/<owner>", get("/budgets/alice"), spent, budgets("alice")),
    Scenario("costs_api", "PUT /budgets/<owner>", set_budget, spent, budgets(None, "alice")),
    Scenario("costs_api", "DELETE /budgets/<owner>", remove_budget, spent, budgets()),
    Scenario("endpoints_api", "GET /endpoints", get("/endpoints"), standing),
    Scenario("endpoints_api", "GET /endpoints/<name>", get("/endpoints/new"), standing),
    Scenario("endpoints_api", "POST /endpoints", make_endpoint, check=endpoint_is(True)),
    Scenario(
        "endpoints_api",
        "POST /endpoints with an Idempotency-Key, sent again",
        again(make_endpoint_once),
        check=never_refused(endpoint_is(True), endpoints(2)),
    ),
    Scenario("endpoints_api", "PATCH /endpoints/<name>, sent again", again(scale_up), standing, never_refused(scaled)),
    Scenario("endpoints_api", "DELETE /endpoints/<name>", delete_endpoint, busy_endpoint, endpoint_is(False)),
    Scenario("endpoint_events", "came into service", endpoint_event, came_into_service, endpoint_is(True)),
    Scenario(
        "endpoint_events",
        "fell asleep while a job came",
        wake_by_event,
        waits_for_sleeper,
        instances_are(1),
        spared=SET_UP,
    ),
    Scenario("endpoint_events", "was deleted", endpoint_event, was_deleted, ends(fail=1)),
    Scenario("dead_letters_api", "GET /dead-letters", get("/dead-letters"), letters, letters_kept),
    Scenario("dead_letters_api", "GET /dead-letters/<queue>", get("/dead-letters/events"), letters, letters_kept),
    Scenario("dead_letters_api", "POST /dead-letters/<queue>/redrive", redrive, letters, letters_kept),
    Scenario("sweeper", "a job never handed over", round_at(LOOK), unmarked, ends(succeed=1)),
    Scenario("sweeper", "an answer never heard of", round_at(LOOK), unheard, ends(succeed=1)),
    Scenario("sweeper", "a job that nobody answers", round_at(PAST_DEADLINE), silent, ends(fail=1), spared=ROUND),
    Scenario("sweeper", "a cancel that broke off", round_at(LOOK), half_cancelled, ends(cancelled=1), spared=ROUND),
    Scenario(
        "sweeper", "what a cancelled job left", round_at(FORGOTTEN), cancelled_long_ago, ends(cancelled=1), spared=ROUND
    ),
    Scenario(
        "sweeper",
        "the late answer of a job that timed out",
        round_at(FORGOTTEN),
        late_answer,
        ends(succeed=1),
        spared=ROUND,
    ),
    Scenario("sweeper", "objects without a job", round_at(FORGOTTEN), orphans, ends(), spared=ROUND),
    Scenario(
        "sweeper",
        "a picture that no job names any more",
        round_at(UNUSED),
        named_no_more,
        no_picture,
        spared=("ListEndpoints", "PutItem"),
    ),
    Scenario(
        "sweeper", "an endpoint without scaling", round_at(LOOK, "endpoints"), came_into_service, endpoint_is(True)
    ),
    Scenario(
        "sweeper", "an import without a step", round_at(STALLED, "steps"), steps_lost(begun(WEB)), file_is("fail")
    ),
    Scenario(
        "sweeper",
        "a deletion without a step",
        round_at(STALLED, "steps"),
        steps_lost(deletion_begun),
        deletion_is("fail", 0),
    ),
    Scenario("scaler", "a job waits and no instance is there", scale(1), waits_for_sleeper, instances_are(1)),
    Scenario("scaler", "no job for long enough", scale(0, AN_HOUR), endpoint_of_ours, instances_are(0)),
    Scenario("scaler", "bounds that were moved", scale(1), bounds_moved, instances_are(1), spared=("List", "Describe")),
    Scenario("sweeper", "what jobs cost", round_at(LOOK, "costs"), spent, counted(1), spared=("Query",)),
    Scenario("unpack_asset", "an asset in a deploy", deployed, zipped, file_is_there),
)
