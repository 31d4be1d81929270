"""Jobs over HTTP: what a caller sends and what comes of it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from darkroom import ids
from darkroom.aws.jobs import DynamoJobs
from darkroom.aws.pictures import S3Images
from darkroom.errors import Busy, Throttled
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import fill, plan
from darkroom.jobs.model import EXTRA_KINDS, Job, JobLine
from tests.support.events import completed, deliver, manifest
from tests.support.http import call
from tests.support.pictures import image_id, png
from tests.support.sagemaker import endpoint
from tests.support.stage import Stage

CHECKPOINT = "v1-5.safetensors"
UNKNOWN = "01900000-0000-7000-8000-000000000000"


def txt2img(**more: object) -> dict[str, object]:
    return {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": {"prompt": "a lighthouse"}, **more}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_txt2img_job_is_written_handed_over_and_marked(stage: Stage) -> None:
    reply = call("POST", "/jobs", txt2img())
    assert reply.status == 201, reply.body
    job = reply.json
    assert job["status"] == "in_progress"
    assert job["owner"] == "alice"
    assert job["endpoint"] == "darkroom-test-a"
    assert job["label"] == f"{job['created_at']}->txt2img->in_progress->{job['id']}"
    [sent] = stage.sagemaker.invoked
    assert sent["job_id"] == job["id"]
    assert sent["output"] == f"s3://pictures/jobs/{job['id']}/output/"
    s3 = f"s3://models/models/stable-diffusion/{CHECKPOINT}"
    assert sent["checkpoint"] == {"name": CHECKPOINT, "s3": s3, "bytes": 10}
    assert sent["parameters"] == {"prompt": "a lighthouse"}


def test_the_owner_comes_from_the_key_and_never_from_the_body(stage: Stage) -> None:
    assert call("POST", "/jobs", txt2img(owner="bob")).status == 422
    assert call("POST", "/jobs", txt2img(), owner="carol").json["owner"] == "carol"


def test_an_unmodified_webui_img2img_body_is_taken_and_its_pictures_are_lifted_out(stage: Stage) -> None:
    init, mask, pose = png(color=(1, 2, 3)), png(color=(255, 255, 255)), png(32, 32)
    parameters = {
        "init_images": ["data:image/png;base64," + b64(init)],
        "mask": b64(mask),
        "prompt": "large eyes",
        "styles": None,
        "seed": -1,
        "s_tmax": float("inf"),
        "denoising_strength": 0.4,
        "something_new": {"kept": [1, None, "x"]},
        "override_settings": {"sd_model_checkpoint": f"{CHECKPOINT} [6ce0161689]", "sd_vae": "None"},
        "alwayson_scripts": {"ControlNet": {"args": [{"input_image": b64(pose), "module": "canny", "weight": 1}]}},
    }
    reply = call("POST", "/jobs", raw=json.dumps({"type": "img2img", "parameters": parameters}))
    assert reply.status == 201, reply.body
    [sent] = stage.sagemaker.invoked
    assert sent["mode"] == "inpaint"
    assert sent["checkpoint"]["name"] == CHECKPOINT
    assert sent["models"] == {"vae": [{"name": "None", "s3": None}]}
    assert sent["images"] == {
        "init": f"s3://pictures/images/alice/{image_id(init)}",
        "mask": f"s3://pictures/images/alice/{image_id(mask)}",
        "controlnet_args_0_input_image": f"s3://pictures/images/alice/{image_id(pose)}",
    }
    assert sent["parameters"]["init_images"] == ["image:init"]
    assert sent["parameters"]["mask"] == "image:mask"
    assert sent["parameters"]["s_tmax"] == "Infinity"
    assert sent["parameters"]["something_new"] == {"kept": [1, None, "x"]}
    unit = sent["parameters"]["alwayson_scripts"]["ControlNet"]["args"][0]
    assert unit == {"input_image": "image:controlnet_args_0_input_image", "module": "canny", "weight": 1}
    assert sorted(stage.objects()) == sorted(f"images/alice/{image_id(p)}" for p in (init, mask, pose))
    shown = call("GET", f"/jobs/{reply.json['id']}").json
    assert shown["parameters"]["s_tmax"] == "Infinity"
    assert {picture["name"] for picture in shown["inputs"]} == set(sent["images"])


def test_what_get_shows_can_be_posted_again(stage: Stage) -> None:
    init = stage.upload(png())
    body = {
        "type": "img2img",
        "checkpoint": CHECKPOINT,
        "images": {"init": init},
        "parameters": {"init_images": ["image:init"], "s_tmax": "Infinity"},
    }
    first = call("POST", "/jobs", body).json
    again = call("POST", "/jobs", {**body, "parameters": first["parameters"]})
    assert again.status == 201
    assert again.json["parameters"] == first["parameters"]


@pytest.mark.parametrize(
    ("mode", "pictures"),
    [
        ("img2img", ("init",)),
        ("sketch", ("init",)),
        ("inpaint", ("init", "mask")),
        ("inpaint_upload", ("init", "mask")),
        ("inpaint_sketch", ("init", "sketch")),
    ],
)
def test_every_mode_takes_its_pictures_and_refuses_without_them(
    stage: Stage, mode: str, pictures: tuple[str, ...]
) -> None:
    images = {name: stage.upload(png(color=(n, n, n))) for n, name in enumerate(pictures)}
    body = {"type": "img2img", "mode": mode, "checkpoint": CHECKPOINT, "images": images}
    assert call("POST", "/jobs", body).status == 201
    assert stage.sagemaker.invoked[-1]["mode"] == mode
    for name in pictures:
        less = {key: value for key, value in images.items() if key != name}
        reply = call("POST", "/jobs", {**body, "images": less})
        assert (reply.status, reply.code) == (422, "image_missing")
    assert len(stage.rows()) == 1


@pytest.mark.parametrize("kind", ["interrogate_clip", "interrogate_deepbooru"])
def test_interrogate_needs_only_a_picture(stage: Stage, kind: str) -> None:
    body = {"type": kind, "parameters": {"image": b64(png()), "model": "clip"}}
    reply = call("POST", "/jobs", body)
    assert reply.status == 201, reply.body
    [sent] = stage.sagemaker.invoked
    assert sent["checkpoint"] is None
    assert set(sent["images"]) == {"init"}
    assert call("POST", "/jobs", {"type": kind}).code == "image_missing"


THIRTY_TWO_OF_EACH = {kind: [f"{kind}{number}" for number in range(32)] for kind in EXTRA_KINDS}
LONG_NAME = {"override_settings": {"sd_model_checkpoint": "a" * 5000}}
ALMOST_A_PICTURE = b64(png()[:48])
BAD_REQUESTS = [
    ("unknown type", {"type": "video"}, 422, "invalid_request"),
    ("width 63", txt2img(parameters={"width": 63}), 422, "invalid_request"),
    ("steps 0", txt2img(parameters={"steps": 0}), 422, "invalid_request"),
    ("cfg_scale nan", txt2img(parameters={"cfg_scale": float("nan")}), 422, "invalid_request"),
    ("mode of txt2img", txt2img(mode="inpaint"), 422, "mode_not_possible"),
    ("no checkpoint", {"type": "txt2img"}, 422, "checkpoint_missing"),
    ("unknown checkpoint", txt2img(checkpoint="nope.safetensors"), 422, "checkpoint_not_active"),
    ("checkpoint still uploading", txt2img(checkpoint="half.safetensors"), 422, "checkpoint_not_active"),
    ("checkpoint with a path", txt2img(checkpoint="../x.safetensors"), 422, "invalid_request"),
    ("unknown lora", txt2img(models={"lora": ["nope.safetensors"]}), 422, "checkpoint_not_active"),
    ("unknown endpoint", txt2img(endpoint="darkroom-test-z"), 422, "endpoint_unknown"),
    ("endpoint creating", txt2img(endpoint="darkroom-test-new"), 409, "endpoint_not_in_service"),
    ("image not uploaded", {"type": "interrogate_clip", "images": {"init": "0" * 64}}, 422, "image_not_uploaded"),
    ("image id is none", {"type": "interrogate_clip", "images": {"init": "x"}}, 422, "invalid_request"),
    ("picture is none", {"type": "interrogate_clip", "parameters": {"image": "aGVsbG8="}}, 422, "image_unreadable"),
    ("picture is no base64", {"type": "interrogate_clip", "parameters": {"image": "!"}}, 422, "image_unreadable"),
    ("unknown reference", txt2img(parameters={"x": "image:pose"}), 422, "image_not_uploaded"),
    ("unknown field", txt2img(colour="red"), 422, "invalid_request"),
    ("parameters are a list", txt2img(parameters=[1]), 422, "invalid_request"),
    ("too much", txt2img(parameters={"notes": ["x" * 1000] * 300}), 413, "parameters_too_large"),
    (
        "too many models",
        txt2img(models=THIRTY_TWO_OF_EACH),
        422,
        "too_many_models",
    ),
    ("long name in the body", {"type": "txt2img", "parameters": LONG_NAME}, 422, "invalid_request"),
    ("too many pictures", txt2img(parameters={"x": [ALMOST_A_PICTURE] * 40_000}), 422, "too_many_images"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in BAD_REQUESTS], ids=[r[0] for r in BAD_REQUESTS]
)
def test_bad_input_is_refused_with_its_code_and_leaves_nothing(
    stage: Stage, body: dict[str, object], status: int, code: str
) -> None:
    stage.model("half.safetensors", status="uploading")
    stage.sagemaker.endpoints.append(endpoint("darkroom-test-new", "Creating"))
    reply = call("POST", "/jobs", raw=json.dumps(body))
    assert (reply.status, reply.code) == (status, code), reply.body
    assert len(reply.json["detail"]) > 20
    assert stage.rows() == []
    assert stage.objects() == []
    assert stage.sagemaker.invoked == []


@pytest.mark.parametrize(
    ("raw", "code", "status"),
    [
        ("{", "not_json", 400),
        ("[]", "not_json", 400),
        ('[{"type": "txt2img"}]', "not_json", 400),
        ("null", "not_json", 400),
        ("[" * 100_000, "not_json", 400),
        ('{"a":' * 80 + "1" + "}" * 80, "not_json", 400),
        ('{"type": "\\ud800"}', "not_json", 400),
        ('{"n": ' + "9" * 5000 + "}", "not_json", 400),
        ("x" * (6 * 1024 * 1024), "body_too_large", 413),
    ],
    ids=[
        "cut off",
        "list",
        "object in a list",
        "null",
        "deep list",
        "deep object",
        "surrogate",
        "long number",
        "large",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(stage: Stage, raw: str, code: str, status: int) -> None:
    reply = call("POST", "/jobs", raw=raw)
    assert (reply.status, reply.code) == (status, code)
    assert stage.rows() == []


@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "é"]
)
def test_other_content_types_are_refused(stage: Stage, content_type: str) -> None:
    reply = call("POST", "/jobs", txt2img(), headers={"Content-Type": content_type})
    assert (reply.status, reply.code) == (415, "unsupported_content_type")


def test_a_missing_body_is_refused(stage: Stage) -> None:
    assert call("POST", "/jobs").status == 422
    assert call("POST", "/images").status == 422


def test_mask_and_init_must_have_the_same_size(stage: Stage) -> None:
    images = {"init": stage.upload(png(64, 64)), "mask": stage.upload(png(64, 72))}
    reply = call("POST", "/jobs", {"type": "img2img", "checkpoint": CHECKPOINT, "images": images})
    assert (reply.status, reply.code) == (422, "image_sizes_differ")
    assert reply.json["errors"] == [{"loc": ["body", "images", "mask"], "msg": "is 64x72 pixels, but init is 64x64"}]
    assert stage.rows() == []


def test_an_upload_whose_bytes_are_no_image_is_refused(stage: Stage) -> None:
    text = stage.upload(b"hello, I am a text file")
    reply = call("POST", "/jobs", {"type": "interrogate_clip", "images": {"init": text}})
    assert (reply.status, reply.code) == (422, "image_unreadable")


def test_a_picture_of_another_owner_is_not_there(stage: Stage) -> None:
    theirs = stage.upload(png(), owner="bob")
    reply = call("POST", "/jobs", {"type": "interrogate_clip", "images": {"init": theirs}})
    assert reply.code == "image_not_uploaded"


def test_an_unknown_checkpoint_leaves_no_lifted_picture_behind(stage: Stage) -> None:
    body = {"type": "img2img", "checkpoint": "nope.ckpt", "parameters": {"init_images": [b64(png())]}}
    assert call("POST", "/jobs", body).code == "checkpoint_not_active"
    assert stage.objects() == []


def test_no_endpoint_in_service_is_said_plainly(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint(status="Creating")]
    reply = call("POST", "/jobs", txt2img())
    assert (reply.status, reply.code) == (409, "no_endpoint_available")


def test_darkroom_chooses_the_endpoint_with_the_fewest_open_jobs(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint("darkroom-test-a"), endpoint("darkroom-test-b")]
    chosen = [call("POST", "/jobs", txt2img()).json["endpoint"] for _ in range(4)]
    assert chosen == ["darkroom-test-a", "darkroom-test-b"] * 2


def test_an_endpoint_that_has_gone_takes_one_job_with_it_and_no_more(stage: Stage) -> None:
    gone, other = endpoint("darkroom-test-a"), endpoint("darkroom-test-b")
    stage.sagemaker.endpoints = [gone, other]
    stage.services.endpoints.all(fresh=True)
    stage.sagemaker.endpoints = [other]
    jobs = [call("POST", "/jobs", txt2img()).json for _ in range(3)]
    assert [(job["endpoint"], job["status"]) for job in jobs] == [
        ("darkroom-test-a", "fail"),
        ("darkroom-test-b", "in_progress"),
        ("darkroom-test-b", "in_progress"),
    ]
    again = call("POST", f"/jobs/{jobs[0]['id']}/replay").json
    assert (again["endpoint"], again["status"]) == ("darkroom-test-b", "in_progress")


def test_an_endpoint_that_refuses_after_all_leaves_a_failed_job_that_says_why(stage: Stage) -> None:
    stage.sagemaker.refuses = "Endpoint darkroom-test-a is not in service"
    reply = call("POST", "/jobs", txt2img())
    assert reply.status == 201
    shown = call("GET", f"/jobs/{reply.json['id']}").json
    assert shown["status"] == "fail"
    assert shown["error"]["code"] == "endpoint_refused"
    assert "not in service" in shown["error"]["message"]
    assert shown["completed_at"]


def test_the_same_idempotency_key_makes_one_job(stage: Stage) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = call("POST", "/jobs", txt2img(), headers=key)
    again = call("POST", "/jobs", txt2img(), headers=key)
    other = call("POST", "/jobs", txt2img(parameters={"prompt": "a ship"}), headers=key)
    assert (first.status, again.status, other.status) == (201, 200, 422)
    assert again.json["id"] == first.json["id"]
    assert other.code == "idempotency_key_reused"
    assert call("POST", "/jobs", txt2img(), headers=key, owner="bob").status == 201
    assert len(stage.sagemaker.invoked) == 2


def test_a_key_is_remembered_before_anything_else_is_looked_at(stage: Stage) -> None:
    key = {"Idempotency-Key": "k-2"}
    first = call("POST", "/jobs", txt2img(), headers=key)
    stage.sagemaker.endpoints = []
    assert call("POST", "/jobs", txt2img(), headers=key).json["id"] == first.json["id"]
    with_picture = {"type": "interrogate_clip", "parameters": {"image": b64(png())}}
    assert call("POST", "/jobs", with_picture, headers=key).code == "idempotency_key_reused"
    assert stage.objects() == []


def test_a_key_whose_job_was_deleted_says_so_and_an_expired_one_counts_no_more(stage: Stage) -> None:
    key = {"Idempotency-Key": "k-3"}
    first = call("POST", "/jobs", txt2img(), headers=key).json["id"]
    call("DELETE", f"/jobs/{first}")
    again = call("POST", "/jobs", txt2img(), headers=key)
    assert (again.status, again.code) == (409, "idempotency_key_job_deleted")
    [row] = stage.rows()
    stage.dynamodb.put_item(TableName="jobs", Item={**row, "expires_at": {"N": "1"}})
    assert call("POST", "/jobs", txt2img(parameters={"prompt": "new"}), headers=key).status == 201


def test_two_at_once_with_one_key_make_one_job(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looks for the key before the first has written it; the transaction then tells."""
    key = {"Idempotency-Key": "k-4"}
    first = call("POST", "/jobs", txt2img(), headers=key).json["id"]
    monkeypatch.setattr(stage.adapters.store, "idempotency", lambda *_: None)
    second = call("POST", "/jobs", txt2img(), headers=key)
    assert (second.status, second.json["id"]) == (200, first)
    assert len(stage.sagemaker.invoked) == 1


@pytest.mark.parametrize("broken", ["invoke", "mark"])
def test_a_job_that_aws_was_too_busy_to_take_is_answered_and_not_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def busy(*_: object) -> None:
        raise Busy("aws_unreachable", "AWS did not answer in time.")

    if broken == "invoke":
        monkeypatch.setattr(stage.sagemaker, "invoke", busy)
    else:
        monkeypatch.setattr(stage.adapters.store, "apply", busy)
    reply = call("POST", "/jobs", txt2img())
    assert (reply.status, reply.json["status"]) == (201, "created")
    assert len(stage.rows()) == 1


def test_throttling_before_the_write_is_503_with_a_time_to_come_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object) -> None:
        raise Throttled("aws_busy", "AWS asked to slow down (dynamodb).", retry_after=7)

    monkeypatch.setattr(stage.adapters.store, "create", throttled)
    reply = call("POST", "/jobs", txt2img())
    assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "aws_busy", "7")


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_it_should_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the prompt of somebody")

    monkeypatch.setattr(stage.adapters.store, "create", broken)
    reply = call("POST", "/jobs", txt2img(parameters={"prompt": "the prompt of somebody"}))
    assert (reply.status, reply.code) == (500, "internal_error")
    assert "somebody" not in reply.body + capsys.readouterr().out


@pytest.mark.parametrize("prompt", ["image: a cat", "image:init", "data:image/png;base64,AAAA", "😀" * 40_000])
def test_a_prompt_is_words_whatever_they_are(stage: Stage, prompt: str) -> None:
    reply = call("POST", "/jobs", txt2img(parameters={"prompt": prompt}))
    assert reply.status == 201, reply.body
    assert reply.json["parameters"]["prompt"] == prompt
    [line] = call("GET", "/jobs").json["jobs"]
    assert line["prompt"] == prompt[:120]


def test_pages_lose_nothing_when_shards_are_cut_off_at_a_megabyte(stage: Stage) -> None:
    store = DynamoJobs(stage.clients("dynamodb"), "jobs", "models", "picture-uses", shards=4)
    made = []
    for _ in range(60):
        line = JobLine(ids.new_id(), "alice", "txt2img", "created", "e", prompt="x" * 100_000)
        store.create(Job(line, {}), (), None)
        made.append(line.id)
    listed: list[str] = []
    before = None
    while True:
        asked = Filters(high=ids.before(before) if before else ids.HIGHEST)
        page = fill(store.read, asked, plan(asked, shards=4), limit=50)
        listed += [line.id for line in page.lines]
        before = page.next
        if before is None:
            break
    assert listed == made[::-1]


def test_the_history_is_newest_first_ten_at_a_time_and_ends(stage: Stage) -> None:
    made = [call("POST", "/jobs", txt2img()).json["id"] for _ in range(23)]
    pages, before = [], None
    while True:
        page = call("GET", "/jobs" + (f"?before={before}" if before else "")).json
        pages.append([line["id"] for line in page["jobs"]])
        before = page["next"]
        if before is None:
            break
    assert [len(page) for page in pages] == [10, 10, 3]
    assert [job for page in pages for job in page] == made[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "before=nope", f"before={'0' * 36}"])
def test_a_bad_page_is_refused_by_the_fields_name(stage: Stage, query: str) -> None:
    reply = call("GET", f"/jobs?{query}")
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.json["errors"][0]["loc"][:2] == ["query", query.split("=")[0]]


@pytest.mark.parametrize("job_id", ["nope", "a" * 5000, "%20", UNKNOWN, "idem#alice#k-1"])
def test_a_job_that_is_not_there_is_404(stage: Stage, job_id: str) -> None:
    call("POST", "/jobs", txt2img(), headers={"Idempotency-Key": "k-1"})
    for method in ("GET", "DELETE"):
        reply = call(method, f"/jobs/{job_id}".replace("#", "%23"))
        assert reply.status == 404
        assert reply.code in ("job_not_found", "route_not_found")


def test_unknown_paths_and_methods_are_problems_too(stage: Stage) -> None:
    assert call("GET", "/images").code == "method_not_allowed"
    assert call("PUT", f"/jobs/{UNKNOWN}").status == 405
    for path, allowed in (("/jobs", "GET, POST"), (f"/jobs/{UNKNOWN}", "DELETE, GET, PATCH"), ("/jobs/summary", "GET")):
        assert call("PUT", path).headers["Allow"] == allowed
    assert call("GET", "/jobs/a/b").code == "route_not_found"
    assert call("PUT", "/endpoints", {}).status == 405


def test_delete_removes_the_row_and_all_that_the_job_stored(stage: Stage) -> None:
    job = call("POST", "/jobs", txt2img()).json
    deliver(completed(job["id"], manifest(job["id"])))
    stage.s3.put_object(Bucket="pictures", Key=f"jobs/{job['id']}/output/0.png", Body=png())
    reply = call("DELETE", f"/jobs/{job['id']}")
    assert (reply.status, reply.body) == (204, "")
    assert stage.objects() == []
    assert call("GET", f"/jobs/{job['id']}").status == 404
    assert call("DELETE", f"/jobs/{job['id']}").status == 404


def test_a_body_over_the_inline_limit_is_not_refused(stage: Stage) -> None:
    reply = call("POST", "/jobs", txt2img(parameters={"notes": ["x" * 1000] * 200}))
    assert reply.status == 201


def test_ping_endpoints_and_checkpoints_answer(stage: Stage) -> None:
    stage.model("film.safetensors", kind="lora")
    assert call("GET", "/ping").json == {"version": "0.0.0", "stage": "test"}
    [found] = call("GET", "/endpoints").json["endpoints"]
    assert found["usable"] is True
    names = [row["name"] for row in call("GET", "/checkpoints").json["checkpoints"]]
    assert names == [CHECKPOINT, "film.safetensors"]
    loras = call("GET", "/checkpoints?kind=lora").json["checkpoints"]
    assert [row["name"] for row in loras] == ["film.safetensors"]
    assert call("GET", "/checkpoints?kind=shoe").status == 400


def test_register_image_gives_an_upload_once(stage: Stage) -> None:
    content = png()
    wanted = {"sha256": image_id(content), "bytes": len(content), "content_type": "image/png"}
    first = call("POST", "/images", wanted)
    assert first.status == 201
    fields = first.json["upload"]["fields"]
    assert fields["key"] == f"images/alice/{image_id(content)}"
    assert {"policy", "x-amz-signature", "x-amz-checksum-sha256"} <= set(fields)
    stage.upload(content)
    again = call("POST", "/images", wanted)
    assert (again.status, again.json["upload"]) == (200, None)
    assert call("POST", "/images", {**wanted, "bytes": 10**9}).status == 422
    assert call("POST", "/images", {**wanted, "content_type": "image/tiff"}).status == 422
    stage.age(image_id(content), days=46)
    assert call("POST", "/images", wanted).status == 201, "past half of its life it is asked for again"


@pytest.mark.parametrize(("days", "renewed"), [(0.9, False), (1.1, True), (89, True)])
def test_a_picture_lasts_as_long_as_the_newest_job_that_names_it(stage: Stage, days: float, renewed: bool) -> None:
    picture = stage.upload(png())
    stage.age(picture, days)
    old = stage.modified(picture)
    body = {"type": "img2img", "checkpoint": CHECKPOINT, "images": {"init": picture}, "parameters": {}}
    made = call("POST", "/jobs", body)
    assert made.status == 201, made.body
    assert (stage.modified(picture) - old > timedelta(days=1)) == renewed
    kept = stage.s3.get_object(Bucket="pictures", Key=f"images/alice/{picture}")
    assert (kept["ContentType"], kept["Body"].read()) == ("image/png", png())
    stage.age(picture, days=2)
    assert call("POST", f"/jobs/{made.json['id']}/replay").status == 201
    assert datetime.now(UTC) - stage.modified(picture) < timedelta(minutes=10)


def test_a_picture_that_goes_while_it_is_renewed_refuses_the_job(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = stage.upload(png())
    stage.age(picture, days=89)
    monkeypatch.setattr(S3Images, "renew", lambda *_: False)
    refused = call("POST", "/jobs", {"type": "img2img", "checkpoint": CHECKPOINT, "images": {"init": picture}})
    assert (refused.status, refused.code) == (422, "image_not_uploaded")
    assert stage.rows() == []


def test_a_fault_while_requests_are_counted_is_answered_like_any_other_and_logged_by_its_type(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("canary-text")

    monkeypatch.setattr(stage.services.rate_limiter, "wait", broken)
    reply = call("GET", "/jobs")
    assert (reply.status, reply.code, reply.json["request_id"]) == (500, "internal_error", "req-1")
    assert "canary" not in reply.body
    [record] = [record for record in caplog.records if record.getMessage() == "fault"]
    assert vars(record)["error"] == "RuntimeError"
    assert "canary" not in str(vars(record)) + caplog.text
