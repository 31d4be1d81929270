"""The command line from its wheel, in an empty environment with an empty home, used against the stack."""

import codecs
import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Running, txt2img
from tests.support.installed import clean, run, wheels, with_pip


@dataclass(frozen=True)
class Person:
    """Somebody with nothing but the wheel."""

    command: Path
    home: Path

    def runs(self, *arguments: str, says: str | None = None, code: int = 0, **more: str) -> bytes:
        """What `darkroom …` writes to its output."""
        done = subprocess.run(  # noqa: S603 - the command is our own
            [str(self.command), *arguments],
            env=clean(self.home, **more),
            cwd=self.home,
            input=says.encode() if says else None,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
        return done.stdout

    def reads(self, *arguments: str) -> str:
        """The same as text."""
        return self.runs(*arguments).decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = wheels(tmp_path_factory.mktemp("dist"))["cli"]
    return with_pip(f"{wheel}[aws]", tmp_path_factory.mktemp("installed"))


@pytest.fixture
def person(installed: Path, darkroom: Running, tmp_path: Path) -> Iterator[Person]:
    """Logged in with the first admin key."""
    someone = Person(installed, tmp_path / "home")
    someone.runs("login", darkroom.stack.api, says=darkroom.key)
    yield someone
    someone.runs("logout")


def test_jobs_are_listed_shown_and_fetched(person: Person, darkroom: Running, tmp_path: Path) -> None:
    made = [darkroom.client.submit(txt2img(width=64, height=64, prompt=f"樱 {number}")) for number in range(3)]
    jobs = [darkroom.client.settled(job["id"], 30) for job in made]
    lines = person.reads("jobs", "list", "--status", "succeed", "--q", "樱", "--limit", "3").splitlines()
    assert [line.split("\t")[3] for line in lines] == [job["id"] for job in reversed(jobs)]
    assert json.loads(person.reads("jobs", "list", "--json", "--limit", "1"))[0]["id"] == jobs[-1]["id"]
    assert "status\tsucceed\n" in person.reads("jobs", "show", jobs[0]["label"])
    told = person.reads("jobs", "get", *(job["label"] for job in jobs), "--to", str(tmp_path / "pictures"))
    saved = [Path(line).read_bytes() for line in told.splitlines()]
    assert saved == [darkroom.client.download(job["images"][0]["url"]) for job in jobs]
    assert person.runs("jobs", "get", jobs[0]["id"], "--to", str(tmp_path / "pictures"), code=1) == b""
    person.runs("jobs", "delete", jobs[0]["label"], "--yes")
    person.runs("jobs", "show", jobs[0]["id"], code=1)


def test_a_csv_of_all_pages_has_one_mark_and_one_header(person: Person, darkroom: Running) -> None:
    for number in range(2):
        darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64, prompt=f"桜 {number}"))["id"], 30)
    content = person.runs("jobs", "list", "--csv")
    assert content.count(codecs.BOM_UTF8) == 1
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert [row[header.index("id")] for row in rows] == [line["id"] for line in darkroom.client.history(limit=100)]
    assert header not in rows
    assert rows[0][header.index("prompt")] == "桜 1"


def test_keys_are_made_listed_and_withdrawn(person: Person) -> None:
    secret = person.reads("keys", "create", "e2e-wheel", "--role", "viewer", "--days", "1").strip()
    [line] = [line for line in person.reads("keys", "list").splitlines() if "e2e-wheel" in line]
    assert secret[:8] in line
    assert secret not in line
    person.runs("keys", "delete", line.split("\t")[0], "--yes")


def test_a_stage_is_found_with_the_persons_aws_credentials(installed: Path, darkroom: Running, tmp_path: Path) -> None:
    # The address that the stack names is one of AWS, so what `login` would store is looked at and not called.
    program = "import sys; from darkroom_cli import aws; print(*vars(aws.login(sys.argv[1], None, None)).values())"
    command = [str(installed.with_name("python")), "-c", program]
    own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = clean(tmp_path / "home", **own, AWS_ENDPOINT_URL=darkroom.stack.aws)
    found = run([*command, "local"], environment, tmp_path)
    assert found.split() == [darkroom.stack.outputs["ApiUrl"].rstrip("/"), darkroom.key]
    assert "The stage nowhere cannot be read" in run([*command, "nowhere"], environment, tmp_path, check=False)
