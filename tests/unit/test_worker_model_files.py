"""Model files on a worker's disk: fetched in pieces, checked, shared, kept and removed."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from darkroom.jobs.contract import ModelFile, WorkRequest
from tests.support.bucket import Bucket, bucket
from tests.support.mocked import mocked_aws
from tests.support.waiting import eventually
from worker import copies, downloads
from worker.cache import Cache, kept_free
from worker.checksums import BLOCK, PIECE, Checksums
from worker.errors import DamagedCopy, JobError, TryAgain
from worker.model_files import ModelFiles
from worker.store import Store
from worker.used_files import JobFiles

SIZE = 3 * PIECE + 12_345
CONTENT = random.Random(1).randbytes(SIZE)


def nothing() -> None:
    """The look of a job that goes on."""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with bucket() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        server.objects["models/a"] = CONTENT
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files_in(folder: Path) -> ModelFiles:
    return ModelFiles(Store(), Cache(folder, keep_free=0))


def named(name: str = "a", etag: str | None = None, sha256: str | None = None) -> ModelFile:
    return ModelFile(name=f"{name}.safetensors", s3=f"s3://models/{name}", etag=etag, sha256=sha256)


def ends_with(files: ModelFiles, file: ModelFile) -> JobError:
    with pytest.raises(JobError) as ended:
        files.path(file, nothing)
    return ended.value


def rest(folder: Path) -> list[str]:
    """What lies in the folder besides whole copies and what is kept beside them."""
    return [path.name for path in folder.iterdir() if path.suffix in (".part", ".writing")]


# -- fetching ------------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_in_pieces_and_is_the_one_in_s3(s3: Bucket, folder: Path) -> None:
    files = files_in(folder)
    path = files.path(named(), nothing)
    assert path.read_bytes() == CONTENT
    assert sorted(s3.spans) == [("models/a", begin) for begin in range(0, SIZE, PIECE)]
    assert files.path(named(), nothing) == path
    assert files.digest(path) == hashlib.sha256(CONTENT).hexdigest()
    assert s3.asked["GET", "models/a"] == len(s3.spans) == 4


def test_the_calls_are_those_that_another_s3_takes(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with mocked_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="models")
        client.put_object(Bucket="models", Key="a", Body=CONTENT)
        files = files_in(folder)
        assert files.path(named(), nothing).read_bytes() == CONTENT
        client.put_object(Bucket="models", Key="a", Body=b"other")
        assert files.path(named(), nothing).read_bytes() == b"other"
        assert "could not be fetched (ClientError)" in ends_with(files, named("missing")).message


def test_an_empty_file_and_one_of_a_byte_are_fetched(s3: Bucket, folder: Path) -> None:
    s3.objects |= {"models/empty": b"", "models/one": b"1"}
    files = files_in(folder)
    assert files.path(named("empty"), nothing).read_bytes() == b""
    assert files.path(named("one"), nothing).read_bytes() == b"1"


def test_a_copy_of_the_version_that_the_job_names_is_taken_without_a_call(s3: Bucket, folder: Path) -> None:
    path = files_in(folder).path(named(etag=s3.etag("models/a")), nothing)
    asked = s3.asked.total()
    assert files_in(folder).path(named(etag=s3.etag("models/a")), nothing) == path
    assert s3.asked.total() == asked
    # A job that names none asks S3 which one counts.
    assert files_in(folder).path(named(), nothing) == path
    assert s3.asked.total() == asked + 1


def test_a_file_that_was_replaced_since_the_job_was_made_is_the_new_one(s3: Bucket, folder: Path) -> None:
    old = s3.etag("models/a")
    s3.objects["models/a"] = b"new"
    files = files_in(folder)
    assert files.path(named(etag=old), nothing).read_bytes() == b"new"
    request = WorkRequest(job_id="1", type="txt2img", checkpoint=named(etag=old), output="s3://p/jobs/1/output/")
    with JobFiles(files, request) as job:
        job.path(named(etag=old), nothing)
        [used] = job.used()
    # It says what was used, not what was asked for.
    assert (used.etag, used.sha256) == (None, hashlib.sha256(b"new").hexdigest())


@pytest.mark.parametrize("fault", ["short", "all of it", "status 500", "status 503"])
def test_a_piece_that_fails_is_fetched_again(s3: Bucket, folder: Path, fault: str) -> None:
    failed: list[int] = []

    def once(begin: int, content: bytes) -> bytes | int | None:
        if begin != PIECE or len(failed) >= 2:
            return None
        failed.append(begin)
        answers = {"short": content[:1000], "all of it": CONTENT}
        return answers.get(fault) or int(fault.split()[1])

    s3.change = once
    assert files_in(folder).path(named(), nothing).read_bytes() == CONTENT
    assert len(failed) == 2


def test_a_file_whose_piece_never_comes_whole_is_refused_and_leaves_nothing(s3: Bucket, folder: Path) -> None:
    s3.change = lambda begin, content: content[:-1] if begin == PIECE else None
    files = files_in(folder)
    ended = ends_with(files, named())
    assert ended.code == "model_unreadable"
    assert "a.safetensors could not be fetched" in ended.message
    assert [*folder.iterdir()] == []
    s3.change = lambda begin, content: None
    assert files.path(named(), nothing).read_bytes() == CONTENT


def test_a_file_that_is_replaced_in_the_middle_is_never_two_halves(
    s3: Bucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "THREADS", 1)
    other = CONTENT[::-1]

    def replace(begin: int, content: bytes) -> None:
        s3.objects["models/a"] = other

    s3.change = replace
    files = files_in(folder)
    with pytest.raises(TryAgain, match="replaced while it was fetched"):
        files.path(named(), nothing)
    assert files.path(named(), nothing).read_bytes() == other
    assert rest(folder) == []


# -- two jobs, one file --------------------------------------------------------------------------------


def test_two_jobs_that_want_one_file_fetch_it_once(s3: Bucket, folder: Path) -> None:
    s3.open.clear()
    files = files_in(folder)
    with ThreadPoolExecutor(2) as jobs:
        wanted = [jobs.submit(files.path, named(), nothing) for _ in range(2)]
        assert s3.begun.wait(60)
        s3.open.set()
        assert wanted[0].result() == wanted[1].result()
    assert s3.asked["GET", "models/a"] == 4


class Cancelled(Exception):
    """What the look of a cancelled job raises."""


def test_a_job_that_is_cancelled_stops_waiting_and_the_other_gets_the_file(s3: Bucket, folder: Path) -> None:
    s3.open.clear()
    files, waits, is_cancelled = files_in(folder), threading.Event(), threading.Event()

    def look() -> None:
        if is_cancelled.is_set():
            raise Cancelled

    with ThreadPoolExecutor(2) as jobs:
        first = jobs.submit(files.path, named(), look)
        assert s3.begun.wait(60)
        second = jobs.submit(files.path, named(), waits.set)
        assert waits.wait(60)
        is_cancelled.set()
        with pytest.raises(Cancelled):
            first.result(60)
        s3.open.set()
        assert second.result(60).read_bytes() == CONTENT


def test_a_download_that_nobody_waits_for_ends_and_leaves_nothing(s3: Bucket, folder: Path) -> None:
    s3.open.clear()
    files = files_in(folder)

    def look() -> None:
        if s3.begun.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        files.path(named(), look)
    s3.open.set()
    eventually(lambda: not [*folder.iterdir()])
    assert files.path(named(), nothing).read_bytes() == CONTENT


def test_a_reader_follows_the_download(s3: Bucket, folder: Path) -> None:
    held = threading.Event()

    def last_comes_late(begin: int, content: bytes) -> None:
        if begin == 3 * PIECE:
            s3.lock.release()
            held.wait(60)
            s3.lock.acquire()

    s3.change = last_comes_late
    with files_in(folder).open(named(), nothing) as opened:
        opened.wait(0, 2 * PIECE, nothing)
        assert opened.read(PIECE - 5, PIECE + 5, "a") == CONTENT[PIECE - 5 : PIECE + 5]
        assert not opened.path.exists()
        assert opened.bytes_there < SIZE
        held.set()
        opened.wait_whole(nothing)
        assert opened.path.read_bytes() == CONTENT
        assert opened.bytes_there == SIZE
        assert opened.identity == files_in(folder).open(named(), nothing).identity


# -- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, BLOCK - 1, PIECE + 77, SIZE - 1])
def test_one_changed_bit_of_a_copy_is_noticed_where_it_is_read(s3: Bucket, folder: Path, at: int) -> None:
    files = files_in(folder)
    path = files.path(named(), nothing)
    with path.open("r+b") as copy:
        copy.seek(at)
        copy.write(bytes([CONTENT[at] ^ 1]))
    with files.open(named(), nothing) as opened:
        with pytest.raises(DamagedCopy):
            opened.read(at, at + 1, "a.safetensors")
        with pytest.raises(DamagedCopy):
            opened.verify("a.safetensors")
    files.cache.drop(path)
    assert files.path(named(), nothing).read_bytes() == CONTENT


def test_a_byte_that_changed_on_the_way_is_noticed_by_the_digest_that_the_shelf_knows(s3: Bucket, folder: Path) -> None:
    s3.change = lambda begin, content: bytes([content[0] ^ 1]) + content[1:] if begin == PIECE else None
    file = named(sha256=hashlib.sha256(CONTENT).hexdigest())
    request = WorkRequest(job_id="1", type="txt2img", checkpoint=file, output="s3://p/jobs/1/output/")
    files = files_in(folder)
    with JobFiles(files, request) as job, pytest.raises(TryAgain, match="SHA-256"):
        job.sha256(file, nothing)
    s3.change = lambda begin, content: None
    with JobFiles(files, request) as job:
        assert job.sha256(file, nothing) == file.sha256


def test_a_copy_that_lost_its_checksums_is_fetched_again(s3: Bucket, folder: Path) -> None:
    path = files_in(folder).path(named(), nothing)
    path.with_suffix(".sums").unlink()
    path.write_bytes(b"broken")
    assert files_in(folder).path(named(), nothing).read_bytes() == CONTENT


def test_checksums_are_kept_and_read_as_they_were() -> None:
    sums = Checksums(SIZE)
    for begin in (2 * PIECE, 0, PIECE, 3 * PIECE):
        sums.put(begin, memoryview(CONTENT)[begin : begin + PIECE])
    assert sums.fit(0, memoryview(CONTENT))
    assert len(sums.to_bytes()) == 4 * -(-SIZE // BLOCK)
    swapped = CONTENT[BLOCK : 2 * BLOCK] + CONTENT[:BLOCK]
    assert not sums.fit(0, memoryview(swapped))


# -- room on the disk ----------------------------------------------------------------------------------


class Disk:
    """A disk of so many bytes, of which other programs use none."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def free(self, folder: Path) -> int:
        return self.size - sum(path.stat().st_size for path in self.folder.iterdir() if path.suffix == ".safetensors")


def on_disk(folder: Path, size: int, keep_free: int = 0) -> ModelFiles:
    return ModelFiles(Store(), Cache(folder, keep_free, Disk(folder, size).free))


@pytest.fixture
def three(s3: Bucket) -> None:
    s3.objects |= {f"models/{name}": name.encode() * 1000 for name in "xyz"}


def test_the_least_recently_used_goes_first(three: None, folder: Path) -> None:
    files = on_disk(folder, 2500)
    x, y = files.path(named("x"), nothing), files.path(named("y"), nothing)
    files.digest(x), files.digest(y)
    for path, second in ((x, 1), (y, 2)):
        os.utime(path, ns=(second, path.stat().st_mtime_ns))
    files.path(named("x"), nothing)
    z = files.path(named("z"), nothing)
    assert sorted(folder.glob("*.safetensors")) == sorted([x, z])
    # What was noted about it went too.
    assert not [*folder.glob(f"{y.stem}*")]


def test_no_file_goes_that_a_job_uses(three: None, folder: Path) -> None:
    files = on_disk(folder, 2500)
    with files.whole(named("x"), nothing) as x:
        y = files.path(named("y"), nothing)
        files.digest(x.path), files.digest(y)
        os.utime(x.path, ns=(1, x.path.stat().st_mtime_ns))
        z = files.path(named("z"), nothing)
        assert sorted(folder.glob("*.safetensors")) == sorted([x.path, z])


def test_a_file_that_does_not_fit_says_what_it_needs_and_what_there_is(three: None, s3: Bucket, folder: Path) -> None:
    s3.objects["models/large"] = b"1" * 2_000_000
    files = on_disk(folder, 1_300_000)
    ended = ends_with(files, named("large"))
    assert ended.code == "disk_full"
    assert "'large.safetensors' needs 2.0 MB, and this instance's disk has 1.3 MB for it" in ended.message
    # Nothing goes in vain, and what could go counts as room.
    x, y = files.path(named("x"), nothing), files.path(named("y"), nothing)
    assert "has 1.3 MB for it" in ends_with(files, named("large")).message
    assert x.exists()
    assert y.exists()


def test_some_of_the_disk_stays_free(three: None, folder: Path) -> None:
    files = on_disk(folder, 3500, keep_free=1000)
    x, y = files.path(named("x"), nothing), files.path(named("y"), nothing)
    files.digest(x), files.digest(y)
    files.path(named("z"), nothing)
    assert len([*folder.glob("*.safetensors")]) == 2
    assert ends_with(on_disk(folder, 3500, keep_free=3000), named("x")).code == "disk_full"


@pytest.mark.parametrize(("told", "kept"), [("2.5", int(2.5 * 1024**3)), (None, None)])
def test_how_much_stays_free_is_a_setting(
    told: str | None, kept: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DARKROOM_MODEL_CACHE_KEEP_FREE_GB", raising=False)
    if told:
        monkeypatch.setenv("DARKROOM_MODEL_CACHE_KEEP_FREE_GB", told)
    tenth = shutil.disk_usage(tmp_path).total // 10
    assert kept_free(tmp_path) == (min(tenth, 10 * 1024**3) if kept is None else kept)


def test_what_is_no_copy_is_left_alone(three: None, folder: Path) -> None:
    folder.mkdir()
    own = folder / "my own model.safetensors"
    own.write_bytes(b"1" * 2000)
    assert ends_with(on_disk(folder, 2500), named("x")).code == "disk_full"
    assert own.exists()


# -- other processes -----------------------------------------------------------------------------------

USES = """
import sys
from pathlib import Path
from worker.cache import Cache
copy = Cache(Path(sys.argv[1]), 0).find(sys.argv[2])
print(copy.path.name, flush=True)
sys.stdin.read()
"""
BREAKS_OFF = """
import os, sys
from pathlib import Path
from worker.cache import Cache
part = Cache(Path(sys.argv[1]), 0).begin(1000, "x")
print(part.path.name, flush=True)
sys.stdin.read()
os._exit(1)
"""


def process(code: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )


def test_no_file_goes_that_another_process_uses(three: None, folder: Path) -> None:
    files = on_disk(folder, 1500)
    x = files.path(named("x"), nothing)
    files.digest(x)
    with process(USES, str(folder), x.name) as other:
        assert other.stdout
        assert other.stdout.readline().strip() == x.name
        assert ends_with(files, named("y")).code == "disk_full"
        other.communicate("")
    assert files.path(named("y"), nothing).exists()
    assert not x.exists()


def test_what_a_process_left_unfinished_goes_when_the_next_one_begins(three: None, folder: Path) -> None:
    with process(BREAKS_OFF, str(folder)) as other:
        assert other.stdout
        left = folder / other.stdout.readline().strip()
        # Another one that lives does not lose its part.
        Cache(folder, 0).begin(1, "y").file.close()
        assert left.exists()
        other.communicate("")
    assert left.exists()
    files_in(folder).path(named("x"), nothing)
    assert not left.exists()
