"""Imports step by step, on moto: from the web as the service sees it, and from S3."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from darkroom.checkpoints import imports as steps
from darkroom.checkpoints import service
from darkroom.checkpoints.model import Checkpoint, ModelKey
from darkroom.checkpoints.ports import SourceBusy, SourceRefused
from darkroom.errors import Busy
from darkroom.steps import ATTEMPTS, FALLBACK_DELAY, KILLED_COUNTS_AS
from infra.events import ATTEMPTS as QUEUE_ATTEMPTS
from tests.support.events import deliver_to
from tests.support.http import Reply, call
from tests.support.models import safetensors
from tests.support.stage import Stage

URL = "https://models.example.com/files/Film%20Grain.safetensors?token=secret"
NAME = "Film Grain.safetensors"
MODEL = safetensors(data=b"\5" * (17 * 1024**2))


class Web:
    """A file on the web that may be slow, broken or gone."""

    def __init__(self, content: bytes = MODEL) -> None:
        self.content = content
        self.faults: list[Exception] = []
        self.reads = 0

    def size(self, url: str) -> int:
        self._fault()
        return len(self.content)

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        self._fault()
        self.reads += 1
        return self.content[first : first + length]

    def _fault(self) -> None:
        if self.faults:
            raise self.faults.pop(0)


class Queue:
    """Steps that wait, with their delays."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.delays: list[int] = []
        self.nets: list[str] = []

    def send(self, body: str, delay: int) -> None:
        if json.loads(body)["step"] == 1 and delay:
            assert delay == FALLBACK_DELAY
            self.nets.append(body)
            return
        self.waiting.append(body)
        self.delays.append(delay)


@pytest.fixture
def queue(stage: Stage) -> Queue:
    made = Queue()
    stage.adapters.import_queue = made
    return made


@pytest.fixture
def web(stage: Stage, queue: Queue) -> Web:
    made = Web()
    stage.adapters.web = made
    return made


def begin(url: str = URL, **more: Any) -> Reply:
    return call("POST", "/checkpoints/import", {"kind": "lora", "url": url, **more})


def run(queue: Queue) -> int:
    """Carry out steps until none is left; returns how many there were."""
    count = 0
    while queue.waiting:
        assert deliver_to("checkpoint_imports", queue.waiting.pop(0)) == []
        count += 1
    return count


def shown() -> dict[str, Any]:
    [row] = call("GET", "/checkpoints?kind=lora").json["checkpoints"]
    found: dict[str, Any] = row
    return found


def test_a_file_of_the_web_comes_to_the_shelf_step_by_step(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(stage.services.imports, "_monotonic", iter(range(1000)).__next__)
    reply = begin()
    assert (reply.status, reply.json["status"], reply.json["name"]) == (202, "importing", NAME)
    assert "secret" not in reply.body
    seen = []
    while queue.waiting:
        deliver_to("checkpoint_imports", queue.waiting.pop(0))
        seen.append(shown()["done"])
    assert shown()["status"] == "active"
    assert shown()["size"] == len(MODEL)
    row = stage.adapters.registry.get(ModelKey("lora", NAME))
    assert row is not None
    assert stage.s3.get_object(Bucket="models", Key=row.object_key)["Body"].read() == MODEL
    assert seen == [0, 8 * 1024**2, 16 * 1024**2, None]


def test_a_step_takes_many_parts_while_it_has_time(stage: Stage, queue: Queue, web: Web) -> None:
    begin()
    assert run(queue) == 2
    assert shown()["status"] == "active"


def test_passing_faults_are_waited_out_and_do_not_fetch_anything_twice(stage: Stage, queue: Queue, web: Web) -> None:
    web.faults = [SourceBusy("the source answered 503")] * 3
    begin()
    run(queue)
    assert shown()["status"] == "active"
    assert queue.delays[:5] == [0, 15, 30, 60, 0]
    assert web.reads == 1 + 3


def test_a_source_that_never_answers_ends_as_fail_with_the_reason(stage: Stage, queue: Queue, web: Web) -> None:
    web.faults = [SourceBusy("the source answered 503")] * 100
    begin()
    assert run(queue) == ATTEMPTS
    assert shown()["status"] == "fail"
    assert "503" in shown()["reason"]
    assert stage.s3.list_multipart_uploads(Bucket="models").get("Uploads", []) == []
    assert begin().status == 202


@pytest.mark.parametrize(
    ("content", "fault", "reason"),
    [
        (MODEL, SourceRefused("the source answered 404"), "404"),
        (b"<html>please log in</html>" * 10, None, "no header length"),
        (b"tiny", None, "no size of a model"),
        (safetensors() + b"x", None, "tensors end"),
    ],
)
def test_what_will_not_do_fails_at_once_with_the_reason(
    stage: Stage, queue: Queue, web: Web, content: bytes, fault: Exception | None, reason: str
) -> None:
    web.content = content
    web.faults = [fault] if fault else []
    begin()
    run(queue)
    assert shown()["status"] == "fail"
    assert reason in shown()["reason"]
    assert "Contents" not in stage.s3.list_objects_v2(Bucket="models")


def test_an_object_in_s3_is_copied_without_passing_through_memory(stage: Stage, queue: Queue, web: Web) -> None:
    stage.s3.create_bucket(Bucket="my-models")
    stage.s3.put_object(Bucket="my-models", Key="ink.safetensors", Body=MODEL)
    assert begin("s3://my-models/ink.safetensors").json["name"] == "ink.safetensors"
    run(queue)
    assert shown()["status"] == "active"
    assert web.reads == 0


@pytest.mark.parametrize("url", ["s3://my-models/nothing.safetensors", "s3://no-such-bucket-here/x.safetensors"])
def test_an_object_that_is_not_there_fails_with_the_reason(stage: Stage, queue: Queue, web: Web, url: str) -> None:
    stage.s3.create_bucket(Bucket="my-models")
    begin(url)
    run(queue)
    assert shown()["status"] == "fail"
    assert "S3 refuses the source" in shown()["reason"]


def test_a_deleted_import_stops_and_a_step_twice_does_no_harm(stage: Stage, queue: Queue, web: Web) -> None:
    begin()
    step = queue.waiting[0]
    assert call("DELETE", "/checkpoints?kind=lora&name=Film%20Grain.safetensors").status == 204
    assert run(queue) == 1
    assert call("GET", "/checkpoints?kind=lora").json["checkpoints"] == []
    begin()
    run(queue)
    for _ in range(2):
        assert deliver_to("checkpoint_imports", step) == []
    assert shown()["status"] == "active"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://example.com/x.safetensors"}, "invalid_request"),
        ({"url": "https://example.com/"}, "invalid_request"),
        ({"url": "https://example.com/a b.safetensors"}, "invalid_request"),
        ({"url": "https://example.com/x.ckpt"}, "format_not_taken"),
        ({"url": "https://example.com/x", "name": "../x.safetensors"}, "invalid_request"),
        ({"url": "https://example.com/%2e%2e%2fx.safetensors"}, "invalid_request"),
    ],
)
def test_an_import_that_makes_no_sense_is_refused(stage: Stage, queue: Queue, body: dict[str, str], code: str) -> None:
    reply = call("POST", "/checkpoints/import", {"kind": "lora", **body})
    assert (reply.status, reply.code) == (422, code)
    assert queue.waiting == []
    assert begin().status == 202
    assert begin().code == "checkpoint_exists"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/api/download/models/123", "/models/ink/", "/ink", "/ink?download=true", "/download.php?id=5", "/v1.5"],
)
def test_a_link_without_a_file_name_is_refused_saying_what_to_give(stage: Stage, queue: Queue, path: str) -> None:
    body = {"kind": "lora", "url": f"https://example.com{path}"}
    refused = call("POST", "/checkpoints/import", body)
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert "give `name`, with the extension" in refused.json["detail"]
    assert [error["loc"] for error in refused.json["errors"]] == [["body", "name"]]
    assert call("POST", "/checkpoints/import", {**body, "name": "ink.safetensors"}).status == 202
    without_extension = call("POST", "/checkpoints/import", {**body, "name": "ink"})
    assert "does not end in the extension of a model file" in without_extension.json["detail"]


def test_a_query_behind_the_file_name_is_no_part_of_it(stage: Stage, queue: Queue) -> None:
    body = {"kind": "lora", "url": "https://example.com/resolve/main/ink%20v2.safetensors?download=true#top"}
    assert call("POST", "/checkpoints/import", body).json["name"] == "ink v2.safetensors"


def test_a_step_that_died_after_s3_put_the_file_together_loses_nothing(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    deliver_to("checkpoint_imports", queue.waiting.pop(0))
    step = queue.waiting.pop(0)
    change = stage.adapters.registry.change

    def killed(old: Checkpoint, new: Checkpoint) -> bool:
        if new.status == "active":
            raise KeyboardInterrupt
        return change(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(stage.adapters.registry, "change", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver_to("checkpoint_imports", step)
    assert deliver_to("checkpoint_imports", step) == []
    assert shown()["status"] == "active"


def test_whatever_breaks_in_a_step_the_row_ends(stage: Stage, queue: Queue, web: Web) -> None:
    web.faults = [RuntimeError("boom")] * 100
    begin()
    assert run(queue) == ATTEMPTS
    assert shown()["status"] == "fail"
    assert "RuntimeError" in shown()["reason"]


def test_an_import_whose_steps_are_killed_ends_before_its_message_is_a_dead_letter(
    stage: Stage, queue: Queue, web: Web
) -> None:
    """The queue gives a message five times; a function that runs out of time can write nothing more."""
    web.faults = [KeyboardInterrupt()] * 100  # type: ignore[list-item]
    begin()
    step = queue.waiting.pop(0)
    killed = 0
    for _ in range(QUEUE_ATTEMPTS):
        try:
            deliver_to("checkpoint_imports", step)
        except KeyboardInterrupt:
            killed += 1
    assert (killed, shown()["status"]) == (3, "fail")
    assert "broken off" in shown()["reason"]
    assert stage.s3.list_multipart_uploads(Bucket="models").get("Uploads", []) == []


def test_a_step_that_was_killed_once_goes_on_and_is_forgiven(stage: Stage, queue: Queue, web: Web) -> None:
    web.faults = [KeyboardInterrupt()]  # type: ignore[list-item]
    begin()
    with pytest.raises(KeyboardInterrupt):
        deliver_to("checkpoint_imports", queue.waiting[0])
    run(queue)
    assert shown()["status"] == "active"


def test_an_owner_may_have_so_many_imports_running_in_a_kind(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_OPEN", 1)
    assert begin().status == 202
    waiting = list(queue.waiting)
    refused = begin(name="another.safetensors")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_uploads", "60")
    assert (queue.waiting, len(queue.nets)) == (waiting, 1)
    assert len(stage.s3.list_multipart_uploads(Bucket="models")["Uploads"]) == 1
    run(queue)
    assert begin(name="another.safetensors").status == 202


def test_an_import_that_cannot_be_queued_does_not_block_its_name(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(queue, "send", lambda *_: (_ for _ in ()).throw(Busy("aws_busy", "AWS is busy.")))
        assert begin().status == 503
    assert begin().status == 202


AGAIN = {"Idempotency-Key": "film-grain"}


def begin_once(url: str = URL) -> Reply:
    return call("POST", "/checkpoints/import", {"kind": "lora", "url": url}, headers=AGAIN)


def test_a_repeat_finds_its_import_and_queues_no_other_step(stage: Stage, queue: Queue, web: Web) -> None:
    assert begin_once().status == 202
    waiting = list(queue.waiting)
    repeat = begin_once()
    assert (repeat.status, repeat.json["status"], queue.waiting) == (202, "importing", waiting)
    assert begin_once(URL + "2").code == "idempotency_key_reused"
    run(queue)
    repeat = begin_once()
    assert (repeat.status, repeat.json["status"], queue.waiting) == (202, "active", [])
    assert begin().code == "checkpoint_exists"
    assert len(stage.s3.list_multipart_uploads(Bucket="models").get("Uploads", [])) == 0


def test_a_repeat_that_comes_while_the_import_is_begun_finds_it_too(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = stage.adapters.registry
    look = shelf.get
    looks = iter([None])
    begin_once()
    monkeypatch.setattr(shelf, "get", lambda key: next(looks, look(key)))
    late = begin_once()
    assert (late.status, late.json["status"]) == (202, "importing")
    assert len(stage.s3.list_multipart_uploads(Bucket="models")["Uploads"]) == 1


def test_a_repeat_begins_an_import_anew_that_was_answered_with_busy(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = queue.send

    def busy(body: str, delay: int) -> None:
        if not delay:
            raise Busy("aws_busy", "AWS is busy.")
        keep(body, delay)

    with monkeypatch.context() as patched:
        patched.setattr(queue, "send", busy)
        assert begin_once().status == 503
    repeat = begin_once()
    assert (repeat.status, repeat.json["status"]) == (202, "importing")
    run(queue)
    assert shown()["status"] == "active"


def test_an_import_that_broke_off_once_its_row_was_written_is_begun_by_its_safety_net(
    stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = stage.adapters.registry
    write = shelf.begin

    def lost(row: Any) -> bool:
        write(row)
        raise Busy("aws_unreachable", "AWS did not answer in time.")

    with monkeypatch.context() as patched:
        patched.setattr(shelf, "begin", lost)
        assert begin().status == 503
    assert (begin().code, queue.waiting) == ("checkpoint_exists", [])
    assert deliver_to("checkpoint_imports", queue.nets.pop(0)) == []
    run(queue)
    assert shown()["status"] == "active"


def test_the_safety_net_leaves_an_import_alone_that_has_begun(stage: Stage, queue: Queue, web: Web) -> None:
    begin()
    deliver_to("checkpoint_imports", queue.waiting.pop(0))
    steps_left = list(queue.waiting)
    assert deliver_to("checkpoint_imports", *queue.nets) == []
    assert queue.waiting == steps_left


def test_a_message_that_is_no_step_is_given_back(stage: Stage, queue: Queue) -> None:
    for body in ("no json", "[]", "{}", json.dumps({"kind": "lora"})):
        assert deliver_to("checkpoint_imports", body) == ["0"]


def test_an_import_that_an_older_release_queued_goes_on(stage: Stage, queue: Queue, web: Web) -> None:
    """Its messages have no number, and its row has none."""
    begin()
    message = json.loads(queue.waiting.pop(0))
    old = json.dumps({name: message[name] for name in ("kind", "name", "upload_id")})
    queue.waiting = [old, old, json.dumps({**json.loads(old), "net": True})]
    run(queue)
    assert shown()["status"] == "active"


FAULTS = [Busy("aws_unreachable", "AWS did not answer in time."), KeyboardInterrupt()]
CALLS = {"change": 8, "send": 3, "parts": 4, "put_part": 3, "complete": 1, "read": 3}
"""The calls of ports in the steps of an import of three parts, and how often each is made."""


class LosesAnswer:
    """A port's method: the call `number` has its effect and then raises, as if its answer were lost."""

    def __init__(self, method: Callable[..., Any], number: int = 0, fault: BaseException | None = None) -> None:
        self._method = method
        self._number = number
        self._fault = fault
        self.calls = 0

    def __call__(self, *given: Any) -> Any:
        answer = self._method(*given)
        self.calls += 1
        if self.calls == self._number and self._fault:
            raise self._fault
        return answer


class Begun:
    """Notes which messages begin steps: their tokens, by the number of the step."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: dict[int, set[str]] = {}
        self._change = stage.adapters.registry.change
        monkeypatch.setattr(stage.adapters.registry, "change", self._note)

    def _note(self, old: Checkpoint, new: Checkpoint) -> bool:
        changed = self._change(old, new)
        # Only what begins a step counts an attempt as broken off.
        if changed and new.attempts == old.attempts + KILLED_COUNTS_AS:
            self.messages.setdefault(new.step, set()).add(new.step_token or "")
        return changed


def port_of(stage: Stage, name: str) -> Any:
    """The port that has a method of CALLS."""
    adapters = stage.adapters
    ports = {"change": adapters.registry, "send": adapters.import_queue}
    return ports.get(name, adapters.model_files)


def run_with_redelivery(queue: Queue) -> None:
    """Carry out steps until none is left; the queue gives a step out again that failed, behind those that wait."""
    for _ in range(40):
        if not queue.waiting:
            return
        message = queue.waiting.pop(0)
        try:
            failed = deliver_to("checkpoint_imports", message)
        except KeyboardInterrupt:
            failed = ["0"]
        if failed:
            queue.waiting.append(message)
    raise AssertionError(f"{len(queue.waiting)} steps are left")


@pytest.fixture
def three_parts(stage: Stage, queue: Queue, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that was begun, takes one part in each step, and whose safety net comes right behind its first step."""
    monkeypatch.setattr(steps, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(stage.services.imports, "_monotonic", iter(range(1000)).__next__)
    begin()
    queue.waiting.append(queue.nets.pop(0))


@pytest.mark.usefixtures("three_parts")
def test_the_calls_whose_answers_are_lost_below_are_all_there_are(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {name: LosesAnswer(getattr(port_of(stage, name), name)) for name in CALLS}
    for name, counting in counted.items():
        monkeypatch.setattr(port_of(stage, name), name, counting)
    run_with_redelivery(queue)
    assert {name: counting.calls for name, counting in counted.items()} == CALLS


@pytest.mark.usefixtures("three_parts")
@pytest.mark.parametrize("fault", FAULTS, ids=["lost answer", "killed"])
@pytest.mark.parametrize(
    ("name", "number"), [(name, number + 1) for name, calls in CALLS.items() for number in range(calls)]
)
def test_whatever_answer_of_a_step_is_lost_one_chain_goes_on_and_ends(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch, name: str, number: int, fault: BaseException
) -> None:
    begun = Begun(stage, monkeypatch)
    losing = LosesAnswer(getattr(port_of(stage, name), name), number, fault)
    monkeypatch.setattr(port_of(stage, name), name, losing)
    run_with_redelivery(queue)
    assert losing.calls >= number, "no answer was lost, for the call was not made"
    assert shown()["status"] == "active"
    # Step by step, and each by one message, which the queue may give out again. In two chains it would be two.
    assert list(begun.messages) == list(range(1, len(begun.messages) + 1)), begun.messages
    assert {len(tokens) for tokens in begun.messages.values()} == {1}, begun.messages


@pytest.mark.usefixtures("three_parts")
def test_of_two_messages_that_read_the_row_at_the_same_moment_one_is_carried_out(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = stage.adapters.registry
    first, net = queue.waiting
    before = registry.get(ModelKey("lora", NAME))
    begun = Begun(stage, monkeypatch)
    assert deliver_to("checkpoint_imports", first) == []
    with monkeypatch.context() as patched:
        patched.setattr(registry, "get", lambda key: before)
        assert deliver_to("checkpoint_imports", net) == []
    assert [len(tokens) for tokens in begun.messages.values()] == [1]
    assert len(queue.waiting) == 3


def test_a_list_of_words_is_imported_for_an_engine(stage: Stage, queue: Queue, web: Web) -> None:
    web.content = b"in the style of nobody\n" * 5
    body = {"kind": "engine-file", "url": "https://e.com/lists/flavors.txt", "purpose": "interrogate_clip"}
    reply = call("POST", "/checkpoints/import", body)
    assert (reply.status, reply.json["name"], reply.json["purpose"]) == (202, "flavors.txt", "interrogate_clip")
    run(queue)
    [row] = call("GET", "/checkpoints?kind=engine-file").json["checkpoints"]
    assert (row["status"], row["purpose"]) == ("active", "interrogate_clip")
    # No other kind may be a list: the URL of one names no model file.
    assert call("POST", "/checkpoints/import", {"kind": "lora", "url": body["url"]}).code == "invalid_request"
