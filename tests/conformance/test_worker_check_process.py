"""`darkroom worker check` as a person runs it: with workers that are processes of their own."""

import json
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from darkroom_cli.main import app
from darkroom_cli.worker_check import places
from local.home import ROOT
from tests.contract.serving import free_port, running_process

ENDING = ("sigterm", "sigterm-next", "sigterm-exit")
FOREIGN = ("-m", "tests.conformance.foreign_worker")


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that is started finds its modules."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def check(*arguments: str, code: int = 0) -> Any:
    """What the command says as JSON, with S3 on a free port; its rows by their names."""
    result = CliRunner().invoke(app, ["worker", "check", "--json", "--port", "0", *arguments])
    assert result.exit_code in (0, 1), result.output
    told = json.loads(result.stdout)
    assert result.exit_code == code, [row for row in told["rows"] if row["outcome"] == "does not hold"]
    return {row["name"]: row for row in told["rows"]}


def command(port: int, *words: str) -> list[str]:
    return [f"http://127.0.0.1:{port}", "--", sys.executable, *words]


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_the_engine_preview_keeps_the_whole_contract() -> None:
    port = free_port()
    worker = ["-m", "worker.server", "--engine", "preview", "--port", str(port)]
    rows = check("--watch", "6", *command(port, *worker))
    held = {name for name, row in rows.items() if row["outcome"] == "holds"}
    # It reads no model files, and has nothing to remark on these jobs.
    assert set(rows) - held == {"missing-model", "notices"}, [row for row in rows.values() if row["name"] not in held]


@pytest.mark.parametrize(
    ("fault", "broken"),
    [("", set()), ("dies of SIGTERM", {"sigterm"}), ("dies of a huge body", {"huge-body"})],
)
def test_a_process_of_somebody_else(fault: str, broken: set[str]) -> None:
    port = free_port()
    names = ("huge-body",) if "huge" in fault else ENDING
    rows = check(*only(*names), *command(port, *FOREIGN, str(port), fault), code=1 if broken else 0)
    assert {name for name, row in rows.items() if row["outcome"] == "does not hold"} == broken, rows


def test_a_running_worker_is_stopped_by_the_command_that_is_given(tmp_path: Path) -> None:
    """Both commands in one: the worker is started by the check, and its end is asked for from outside."""
    port = free_port()
    pid = tmp_path / "pid"
    start = f"import os, sys; open({str(pid)!r}, 'w').write(str(os.getpid())); sys.argv[1:] = ['{port}']; "
    start += "from tests.conformance.foreign_worker import main; main()"
    stop = f"import os, signal; os.kill(int(open({str(pid)!r}).read()), signal.SIGTERM)"
    stopping = shlex.join([sys.executable, "-c", stop])
    rows = check("--stop", stopping, *only(*ENDING), *command(port, "-c", start))
    assert rows["sigterm"]["outcome"] == "holds", rows


def test_without_a_way_to_stop_the_worker_sigterm_is_not_tried_and_no_fault() -> None:
    port = free_port()
    worker = [sys.executable, *FOREIGN, str(port)]
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    url = f"http://127.0.0.1:{port}"
    with running_process(*worker, health=f"{url}/ping", AWS_DEFAULT_REGION="us-east-1", **aws):
        rows = check(*only("ping", *ENDING), url)
    assert [row["outcome"] for row in rows.values()] == ["holds", *["not tried"] * 3]
    assert "--stop COMMAND" in rows["sigterm"]["why"]


def test_a_command_that_stops_nothing_is_told_and_no_fault_of_the_worker() -> None:
    port = free_port()
    rows = check("--stop", "false", *only("ping", "sigterm"), *command(port, *FOREIGN, str(port)))
    assert rows["sigterm"]["outcome"] == "not tried"
    assert "failed with the code 1" in rows["sigterm"]["why"]


def test_variables_go_into_a_file_for_docker(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "variables"
    check("--env-file", str(path), "--jobs-at-once", "3", *only("ping"), *command(port, *FOREIGN, str(port)))
    told = dict(line.split("=", 1) for line in path.read_text().splitlines())
    assert told["DARKROOM_JOBS_AT_ONCE"] == "3"
    assert told["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


def test_a_container_that_calls_this_machine_by_a_name_finds_the_bucket_in_the_path() -> None:
    with places.on_this_machine("127.0.0.1", 0, "localhost") as place:
        session = boto3.session.Session("x", "x", region_name=place.variables["AWS_REGION"])
        s3 = session.client("s3", endpoint_url=place.variables["AWS_ENDPOINT_URL"])
        signed = s3.generate_presigned_url("get_object", {"Bucket": place.bucket, "Key": "a"})
    assert signed.startswith(f"{place.variables['AWS_ENDPOINT_URL']}/{place.bucket}/a?")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "nonsense"], "There is no row 'nonsense'"),
        (["--checkpoint", "missing.safetensors", "http://127.0.0.1:1"], "is neither a file nor an S3 URI"),
        (["--checkpoint", "s3://models/missing", "http://127.0.0.1:1"], "cannot be read"),
        (["--engine-file", "clip=x", "http://127.0.0.1:1"], "write PURPOSE=FILE"),
        (["--queue", "https://sqs.example/1/q", "http://127.0.0.1:1"], "--queue goes with --bucket"),
        (["http://127.0.0.1:1", "--", "no-such-program"], "no-such-program cannot be started"),
    ],
)
def test_wrong_options_say_what_to_do(words: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["worker", "check", "--port", "0", *words])
    assert result.exit_code == 1
    assert says in " ".join(result.stderr.split())


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["worker", "check", "--port", port, "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert "Give another --port" in result.stderr


def test_a_bucket_of_ones_own_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto stands for AWS here."""
    with places.on_this_machine("127.0.0.1", 0, None) as aws:
        for name, value in aws.variables.items():
            monkeypatch.setenv(name, value)
        aws.s3.create_bucket(Bucket="mine")
        aws.s3.put_object(Bucket="mine", Key="images/kept", Body=b"x")
        queue = aws.sqs.create_queue(QueueName="mine")["QueueUrl"]
        port = free_port()
        names = only("txt2img", "img2img", "stored", "cancel-before", "progress-shape")
        rows = check("--bucket", "mine", "--queue", queue, *names, *command(port, *FOREIGN, str(port)))
        left = [entry["Key"] for entry in aws.s3.list_objects_v2(Bucket="mine")["Contents"]]
    assert {row["outcome"] for row in rows.values()} == {"holds"}
    assert left == ["images/kept"]


def test_a_worker_that_does_not_start_tells_its_last_words() -> None:
    port = free_port()
    words = command(port, "-c", "raise SystemExit('no GPU here')")
    result = CliRunner().invoke(app, ["worker", "check", "--port", "0", *words])
    assert result.exit_code == 1
    assert "no GPU here" in result.stderr
    result = CliRunner().invoke(app, ["worker", "check", "--port", "0", f"http://127.0.0.1:{port}", "--wait", "0"])
    assert result.exit_code == 1
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in result.stderr
    assert "did not answer 200 within 0 seconds" in result.stderr
