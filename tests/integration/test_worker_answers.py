"""Answers of every container behind an endpoint, from the notification to what the person reads."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.support.events import completed, deliver, failed, manifest, put_picture
from tests.support.http import call
from tests.support.pictures import encoded, png
from tests.support.stage import Stage
from tests.unit.test_media import mp4, webm

OUT_OF_MEMORY = {"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory. Tried 2 GiB"}
SAID = {"code": "worker_failed", "message": "OutOfMemoryError: CUDA out of memory. Tried 2 GiB"}
REASON = "ClientError: Received server error (500) from model. See the SageMaker Endpoint logs."


def submit(stage: Stage, job_type: str = "txt2img") -> str:
    body: dict[str, Any] = {"type": job_type, "parameters": {"prompt": "a pier"}}
    if job_type == "txt2img":
        body["checkpoint"] = "v1-5.safetensors"
    else:
        body["images"] = {"init": stage.upload(png())}
    reply = call("POST", "/jobs", body)
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def shown(job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/jobs/{job_id}").json
    return found


def ended(job_id: str, *answers: Any, **more: Any) -> dict[str, Any]:
    assert deliver(*(completed(job_id, answer) for answer in answers), **more) == []
    return shown(job_id)


def why(job: dict[str, Any]) -> str:
    assert (job["status"], job["error"]["code"]) == ("fail", "bad_answer")
    return str(job["error"]["message"])


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


# -- pictures that are not there, and answers of the wrong kind ----------------------------------------


def test_a_picture_that_is_not_in_s3_is_no_success(stage: Stage) -> None:
    job_id = submit(stage)
    assert "not in S3" in why(ended(job_id, manifest(job_id), painted=False))


def test_one_picture_of_two_is_no_success(stage: Stage) -> None:
    job_id = submit(stage)
    answer = manifest(job_id)
    answer["images"].append({**answer["images"][0], "key": f"jobs/{job_id}/output/1.png"})
    put_picture(f"jobs/{job_id}/output/0.png")
    assert "1.png" in why(ended(job_id, answer, painted=False))


def test_a_picture_of_no_bytes_or_other_bytes_is_no_success(stage: Stage) -> None:
    job_id, other = submit(stage), submit(stage)
    stage.s3.put_object(Bucket="pictures", Key=f"jobs/{job_id}/output/0.png", Body=b"")
    assert "empty" in why(ended(job_id, manifest(job_id)))
    answer = manifest(other)
    answer["images"][0]["bytes"] = 7
    assert "7 bytes" in why(ended(other, answer))


def test_s3_tells_the_bytes_that_a_manifest_leaves_out(stage: Stage) -> None:
    job_id = submit(stage)
    assert ended(job_id, manifest(job_id))["images"][0]["bytes"] == len(png())


def test_a_picture_that_comes_after_the_answer_that_names_it_changes_nothing(stage: Stage) -> None:
    job_id = submit(stage)
    assert ended(job_id, manifest(job_id), painted=False)["status"] == "fail"
    assert ended(job_id, manifest(job_id))["status"] == "fail"


@pytest.mark.parametrize("job_type", ["txt2img", "extras"])
def test_a_caption_alone_is_no_picture(stage: Stage, job_type: str) -> None:
    job_id = submit(stage, job_type)
    message = why(ended(job_id, {"caption": "a pier"}))
    assert "a caption alone" in message
    assert job_type in message


def test_pictures_alone_are_no_caption(stage: Stage) -> None:
    job_id = submit(stage, "interrogate_clip")
    assert "asks for a caption" in why(ended(job_id, manifest(job_id)))
    other = submit(stage, "interrogate_deepbooru")
    assert "asks for a caption" in why(ended(other, {"images": [base64_of(png())]}))
    assert f"jobs/{other}/output/0.png" not in stage.objects()


def test_a_caption_beside_the_pictures_is_kept(stage: Stage) -> None:
    job_id = submit(stage)
    job = ended(job_id, manifest(job_id, caption="a pier"))
    assert (job["status"], job["caption"], job["image_count"]) == ("succeed", "a pier", 1)


def test_an_answer_of_the_wrong_kind_moves_no_job_that_has_ended(stage: Stage) -> None:
    job_id = submit(stage)
    first = ended(job_id, manifest(job_id))
    assert ended(job_id, {"caption": "a pier"})["completed_at"] == first["completed_at"]
    cancelled = submit(stage)
    call("POST", f"/jobs/{cancelled}/cancel")
    assert ended(cancelled, {"caption": "a pier"})["status"] == "cancelled"


# -- errors of plain containers ------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["in the message", "in the failure file", "with status 200"])
def test_the_webuis_error_is_the_reason(stage: Stage, told: str) -> None:
    job_id = submit(stage)
    if told == "with status 200":
        assert ended(job_id, OUT_OF_MEMORY)["error"] == SAID
        return
    message = failed(job_id, REASON)
    if told == "in the message":
        message["responseBody"] = {"content": json.dumps(OUT_OF_MEMORY), "message": REASON}
    else:
        stage.s3.put_object(Bucket="pictures", Key="failures/x-error.out", Body=json.dumps(OUT_OF_MEMORY).encode())
    assert deliver(message) == []
    assert shown(job_id)["error"] == SAID


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["body", "steps"], "msg": "field required"}]}', "steps: field required"),
        (b"Internal Server Error", f"{REASON} The container said: Internal Server Error"),
        (
            b"<html><head><title>502</title></head><body>Bad  Gateway</body>",
            f"{REASON} The container said: 502 Bad Gateway",
        ),
        (b"\x00\xff\xfe", REASON),
        (b"", REASON),
        (b'{"images": []}', REASON),
        (REASON.encode(), REASON),
    ],
)
def test_what_a_container_says_reaches_the_person(stage: Stage, body: bytes, message: str) -> None:
    job_id = submit(stage)
    stage.s3.put_object(Bucket="pictures", Key="failures/x-error.out", Body=body)
    assert deliver(failed(job_id, REASON)) == []
    assert shown(job_id)["error"] == {"code": "worker_failed", "message": message}


def test_a_caption_that_is_the_webuis_error_is_no_success(stage: Stage) -> None:
    job_id = submit(stage, "interrogate_clip")
    job = ended(job_id, {"caption": "a photo of a cat<error>"})
    assert (job["status"], job["caption"]) == ("fail", None)
    assert "a photo of a cat" in job["error"]["message"]


# -- what plain containers paint -----------------------------------------------------------------------


def test_seeds_begin_behind_the_grid(stage: Stage) -> None:
    job_id = submit(stage)
    info = {"all_seeds": [7, 8], "infotexts": ["g", "a", "b"], "index_of_first_image": 1}
    images = [base64_of(png(color=(n, n, n))) for n in range(3)]
    job = ended(job_id, {"images": images, "parameters": {}, "info": json.dumps(info)})
    assert [(image["seed"], image["infotext"]) for image in job["images"]] == [(None, "g"), (7, "a"), (8, "b")]


def animated_gif() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (96, 64)).save(buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (96, 64), "red")])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "extension", "content_type", "size"),
    [
        (encoded(Image.new("RGB", (96, 64)), "JPEG"), "jpg", "image/jpeg", (96, 64)),
        (encoded(Image.new("RGB", (96, 64)), "WEBP"), "webp", "image/webp", (96, 64)),
        (encoded(Image.new("RGB", (96, 64)), "AVIF"), "avif", "image/avif", (96, 64)),
        (animated_gif(), "gif", "image/gif", (96, 64)),
        (mp4(), "mp4", "video/mp4", (320, 180)),
        (webm(), "webm", "video/webm", (640, 360)),
        (webm(0, 0), "webm", "video/webm", (512, 768)),
    ],
)
def test_every_format_is_stored_under_its_own_name_and_type(
    stage: Stage, content: bytes, extension: str, content_type: str, size: tuple[int, int]
) -> None:
    job_id = submit(stage)
    job = ended(job_id, {"images": [base64_of(content)], "info": '{"width": 512, "height": 768}'})
    assert job["status"] == "succeed", job["error"]
    [image] = job["images"]
    assert image["key"] == f"jobs/{job_id}/output/0.{extension}"
    assert (image["content_type"], image["width"], image["height"]) == (content_type, *size)
    stored = stage.s3.get_object(Bucket="pictures", Key=image["key"])
    assert (stored["ContentType"], stored["Body"].read()) == (content_type, content)
    assert (job["thumbnail"] is None) == (extension in ("mp4", "webm"))


# -- the second version ---------------------------------------------------------------------------------


def test_what_the_second_version_adds_is_shown_with_the_job(stage: Stage) -> None:
    job_id = submit(stage)
    small = f"jobs/{job_id}/output/thumbnails/0.webp"
    answer = manifest(job_id, timings={"queued": 9, "download": 1, "load": 2, "run": 3})
    answer["images"][0]["thumbnail"] = small
    answer["notices"] = ["The hires pass was left out."]
    answer["components"] = {
        "engine": "diffusers",
        "version": "1.2",
        "precision": "fp16",
        "files": [{"kind": "stable-diffusion", "name": "v1-5.safetensors", "sha256": "ab" * 32}],
    }
    put_picture(small)
    job = ended(job_id, answer)
    assert small in job["images"][0]["thumbnail"]
    assert small in job["thumbnail"]
    assert small in call("GET", "/jobs").json["jobs"][0]["thumbnail"]
    assert job["notices"] == ["The hires pass was left out."]
    assert (job["run_seconds"], job["timings"]["download"]) == (6, 1)
    assert job["components"]["precision"] == "fp16"
    assert job["components"]["files"][0] == {**answer["components"]["files"][0], "etag": None}


def test_a_width_that_is_rounded_down_is_told_and_what_the_worker_says_comes_behind_it(stage: Stage) -> None:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier", "width": 998}}
    made = call("POST", "/jobs", body).json
    assert (made["parameters"]["width"], len(made["notices"])) == (992, 1)
    assert "998" in made["notices"][0]
    assert stage.sagemaker.invoked[-1]["parameters"]["width"] == 992
    job = ended(made["id"], manifest(made["id"], notices=["The hires pass was left out."]))
    assert job["notices"] == [made["notices"][0], "The hires pass was left out."]


def test_an_upscaler_that_extras_names_goes_to_the_worker_and_one_that_is_missing_is_refused(stage: Stage) -> None:
    stage.model("4x-UltraSharp.safetensors", "upscaler")
    images = {"init": stage.upload(png())}
    body = {"type": "extras", "images": images, "parameters": {"upscaler_1": "4x-UltraSharp"}}
    assert call("POST", "/jobs", body).status == 201
    [file] = stage.sagemaker.invoked[-1]["models"]["upscaler"]
    assert file["name"] == "4x-UltraSharp.safetensors"
    assert stage.sagemaker.invoked[-1]["checkpoint"] is None
    missing = call("POST", "/jobs", {**body, "parameters": {"upscaler_1": "8x_NotThere"}})
    assert (missing.status, missing.code) == (422, "checkpoint_not_active")
    named = {**body, "checkpoint": "gone.safetensors", "models": {"vae": "None", "lora": ["gone.safetensors"]}}
    assert call("POST", "/jobs", named).status == 201
    assert list(stage.sagemaker.invoked[-1]["models"]) == ["upscaler"]


def test_a_thumbnail_that_is_not_there_does_not_cost_the_picture(stage: Stage) -> None:
    job_id = submit(stage)
    answer = manifest(job_id)
    answer["images"][0]["thumbnail"] = f"jobs/{job_id}/output/thumbnails/0.webp"
    job = ended(job_id, answer)
    assert (job["status"], job["images"][0]["thumbnail"]) == ("succeed", None)
    assert "output/0.png" in job["thumbnail"]


def test_extras_needs_no_checkpoint_and_ends_with_its_picture(stage: Stage) -> None:
    parameters = {"image": base64_of(png()), "upscaling_resize": 2, "upscaler_1": "Lanczos"}
    reply = call("POST", "/jobs", {"type": "extras", "parameters": parameters})
    assert reply.status == 201, reply.body
    asked = stage.sagemaker.invoked[-1]
    assert (asked["type"], asked["checkpoint"], asked["models"]) == ("extras", None, {})
    assert asked["parameters"]["image"] == "image:init"
    assert list(asked["images"]) == ["init"]
    job = ended(reply.json["id"], {"image": base64_of(png(128, 128)), "html_info": "<p>Postprocess upscale by: 2"})
    assert (job["status"], job["images"][0]["width"]) == ("succeed", 128)


def test_extras_without_a_picture_is_refused(stage: Stage) -> None:
    reply = call("POST", "/jobs", {"type": "extras", "parameters": {"upscaling_resize": 2}})
    assert (reply.status, reply.code) == (422, "image_missing")
    assert call("POST", "/jobs", {"type": "extras", "mode": "img2img"}).code == "mode_not_possible"


def test_the_longest_answer_that_every_limit_allows_still_fits_into_the_item(stage: Stage) -> None:
    """The text of the parameters is the longest there may be, and every text of the answer is longer than is kept."""
    half = "x" * 99_000
    body = {
        "type": "txt2img",
        "checkpoint": "v1-5.safetensors",
        "parameters": {"prompt": half, "negative_prompt": half},
    }
    job_id = call("POST", "/jobs", body).json["id"]
    folder = f"jobs/{job_id}/output/{'n' * 150}"
    images = [
        {
            **manifest(job_id)["images"][0],
            "key": f"{folder}{number}.png",
            "thumbnail": f"{folder}{number}.webp",
            "infotext": "\u0001" * 90,
            "sha256": "ab" * 32,
            "seed": 2**64 - 1,
        }
        for number in range(128)
    ]
    files = [{"kind": "lora", "name": "é" * 300, "sha256": "ab" * 32}] * 400
    answer = {
        "images": images,
        "caption": "é" * 30_000,
        "notices": ["é" * 2_000] * 50,
        "components": {"engine": "é" * 200, "files": files},
    }
    for image in images:
        put_picture(str(image["thumbnail"]))
    job = ended(job_id, answer)
    assert (job["status"], job["image_count"]) == ("succeed", 128), job["error"]
    assert all(image["thumbnail"] for image in job["images"])
