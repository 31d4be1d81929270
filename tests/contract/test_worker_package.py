"""The worker's package, started as SageMaker starts it: by bash, in a container that is made for something else."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest

from darkroom.jobs.contract import WorkAnswer
from layers.files import digest_of
from layers.worker import licences, package
from layers.worker.contents import start
from layers.worker.package import Package, PackageError, build, find, read
from tests.contract.serving import free_port, http, wait_until

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# The shape of the script that AWS's container begins with: other bashes first, then Python, then the word it was given.
ENTRY = """#!/usr/bin/env bash
bash "${0%/*}/report.sh" >/dev/null 2>&1 || true
GPU=$(python -c "print(False)")
if [ "$GPU" = "True" ]; then bash "${0%/*}/report.sh"; fi
echo "the container's own script"
if [[ "$1" = "train" ]]; then train; else eval "$@"; fi
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A package for previews, and for the Python that runs the tests; its folder has a blank in its name."""
    return build(tmp_path_factory.mktemp("the packages"), "pytorch", "preview", PYTHON)


class Container:
    """A folder that stands for a container: its script, its Python, its /tmp."""

    def __init__(self, folder: Path, package: Path, python: str | None = sys.executable) -> None:
        self.folder = folder
        self.port = free_port()
        programs = folder / "bin"
        programs.mkdir()
        for name in ("bash", "env"):
            (programs / name).symlink_to(str(shutil.which(name)))
        if python:
            # Not a link: a virtual environment is found by the place of its Python.
            (programs / "python").write_text(f'#!{shutil.which("bash")}\nexec "{python}" "$@"\n')
            (programs / "python").chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "entry.sh").write_text(ENTRY)
        (folder / "report.sh").write_text(f'echo reported >> "{folder}/reports"\n')
        self.environment = {
            "PATH": str(programs),
            "TMPDIR": str(folder / "tmp"),
            "BASH_ENV": str(package / "boot.sh"),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
            "DARKROOM_HOST": "127.0.0.1",
        }

    @property
    def command(self) -> list[str]:
        """How a container is started, but for the word."""
        return [str(shutil.which("bash")), str(self.folder / "entry.sh")]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the container to its end."""
        return subprocess.run(  # noqa: S603 - the command is our own
            [*self.command, *words], env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    @contextmanager
    def serving(self, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Start the container with the word `serve`, and wait until it says that it takes jobs."""
        process = subprocess.Popen([*self.command, "serve"], env={**self.environment, **more})  # noqa: S603
        try:
            wait_until(lambda: self._ready(process), 60)
            yield process
        finally:
            process.kill()
            process.wait(10)

    def _ready(self, process: "subprocess.Popen[bytes]") -> bool:
        assert process.poll() is None, "the container ended"
        try:
            return http().get(f"http://127.0.0.1:{self.port}/ping").status_code == 200
        except Exception:
            return False


@pytest.fixture
def container(tmp_path: Path, built: Package) -> Container:
    return Container(tmp_path, built.folder)


def test_the_word_serve_starts_the_worker_in_the_place_of_the_container_and_it_paints(
    container: Container, aws_on_this_machine: str
) -> None:
    names = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=aws_on_this_machine, **names)  # type: ignore[call-overload]
    s3.create_bucket(Bucket="packaged")
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    with container.serving(**credentials, AWS_ENDPOINT_URL=aws_on_this_machine) as process:
        # The process that bash was is the worker: SIGTERM reaches it.
        assert b"worker.server" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        job = {"job_id": "1", "type": "txt2img", "output": "s3://packaged/jobs/1/output/", "parameters": {"width": 64}}
        answer = http().post(f"http://127.0.0.1:{container.port}/invocations", json=job)
        assert len(WorkAnswer.model_validate_json(answer.content).images) == 1
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert not [entry for entry in environment if entry.startswith(b"BASH_ENV=")]
        assert {b"HF_HUB_OFFLINE=1", b"DO_NOT_TRACK=1"} <= set(environment)
        process.terminate()
        process.wait(30)
    stored = [entry["Key"] for entry in s3.list_objects_v2(Bucket="packaged")["Contents"]]
    assert [key for key in stored if key.endswith(".png")]
    assert not (container.folder / "reports").exists()


def test_another_word_starts_what_the_container_is_made_for(container: Container) -> None:
    done = container.run("echo", "hello")
    assert (done.returncode, done.stdout) == (0, "the container's own script\nhello\n")
    # Its own bashes went on as ever: the first of them had the variable no more.
    assert (container.folder / "reports").read_text() == "reported\n"
    assert container.run().stdout == "the container's own script\n"


def test_wheels_are_unpacked_once(container: Container) -> None:
    with container.serving():
        (unpacked,) = (container.folder / "tmp").glob("darkroom-packages-*")
        first = unpacked.stat()
    (unpacked / "note").write_text("")
    container.port = free_port()
    container.environment["SAGEMAKER_BIND_TO_PORT"] = str(container.port)
    with container.serving():
        assert [each.name for each in (container.folder / "tmp").glob("darkroom-*")] == [unpacked.name]
    assert (unpacked.stat().st_ino, (unpacked / "note").exists()) == (first.st_ino, True)


def test_without_a_python_it_says_so_and_ends(tmp_path: Path, built: Package) -> None:
    done = Container(tmp_path, built.folder, python=None).run("serve")
    assert done.returncode == 1
    assert "no python in this container" in done.stderr
    assert "own script" not in done.stdout


def test_another_python_than_the_packages_is_told_by_both_numbers(tmp_path: Path, built: Package) -> None:
    other = tmp_path / "other"
    shutil.copytree(built.folder, other)
    about = (other / "package.json").read_text()
    (other / "package.json").write_text(about.replace(f'"{PYTHON}"', '"3.99"'))
    done = Container(tmp_path, other).run("serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == f"darkroom: this package is for Python 3.99, and the container has Python {PYTHON}"


def test_a_broken_wheel_and_a_full_disk_are_told_and_nothing_half_is_left(tmp_path: Path, built: Package) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(built.folder, broken)
    (broken / "wheels" / "zzz-1-py3-none-any.whl").write_bytes(b"no zip")
    container = Container(tmp_path, broken)
    done = container.run("serve")
    assert done.returncode == 1
    assert "cannot be unpacked: File is not a zip file" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    container.environment["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").rmdir()
    done = container.run("serve")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_what_a_wheel_installs_beside_its_modules_is_left_out(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("a/__init__.py", "a-1.data/purelib/b.py", "a-1.data/scripts/a", "a-1.dist-info/METADATA"):
            archive.writestr(name, "")
    found = start.unpacked([wheel], tmp_path)
    files = {file.relative_to(found).as_posix() for file in found.rglob("*") if file.is_file()}
    assert files == {"a/__init__.py", "b.py", "a-1.dist-info/METADATA"}


def test_the_same_sources_make_the_same_digest_and_any_change_another(tmp_path: Path, built: Package) -> None:
    assert built.digest == digest_of(built.folder)
    again = build(tmp_path, "pytorch", "preview", PYTHON)
    assert again.digest == built.digest
    (again.folder / "boot.sh").write_text("# another\n")
    assert digest_of(again.folder) != built.digest
    # The next build takes the place of the one before.
    (tmp_path / "pytorch" / built.digest).rename(tmp_path / "pytorch" / "0123456789abcdef")
    assert build(tmp_path, "pytorch", "preview", PYTHON).digest == built.digest
    assert [each.name for each in (tmp_path / "pytorch").iterdir()] == [built.digest]


def test_a_package_is_found_and_one_that_is_older_than_its_sources_is_refused(
    built: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built.folder.parents[1]
    assert find(folder, "pytorch") == built == read(built.folder)
    assert find(folder, "ray") is None
    assert find(folder / "nothing", "pytorch") is None
    monkeypatch.setattr(package, "_imported", lambda *_: [])
    with pytest.raises(PackageError, match="make worker ENGINE=preview BASE=pytorch"):
        find(folder, "pytorch")


def test_a_package_has_the_code_of_the_worker_and_nothing_that_it_does_not_import(built: Package) -> None:
    code = {file.relative_to(built.folder / "code").as_posix() for file in (built.folder / "code").rglob("*.py")}
    worker = {file.relative_to(package.ROOT).as_posix() for file in (package.ROOT / "worker").rglob("*.py")}
    assert {name for name in code if name.startswith("worker/")} == worker
    assert {"darkroom/jobs/contract.py", "darkroom/jobs/__init__.py", "darkroom/webui/samplers.py"} <= code
    assert not [name for name in code if name.startswith(("darkroom/aws", "darkroom/edge", "darkroom/wiring"))]
    assert not (built.folder / "darkroom_ray.py").exists()


def test_the_packages_of_a_preview_are_among_those_that_paint() -> None:
    preview, painting = (set((package.HERE / f"{name}.txt").read_text().split("\n")) for name in package.ENGINES[::-1])
    assert {line for line in preview if "==" in line} <= painting


def test_what_the_container_of_aws_has_is_in_no_package() -> None:
    for engine in package.ENGINES:
        names = {line.partition("==")[0] for line in (package.HERE / f"{engine}.txt").read_text().split("\n")}
        assert not names & {"torch", "torchvision", "triton", "jinja2", "networkx", "sympy", "setuptools"}, engine


def test_what_cannot_be_downloaded_is_told_in_the_words_of_the_installer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("six==1.17.0 \\\n    --hash=sha256:" + 64 * "0" + "\n")
    monkeypatch.setattr(package, "_lock", lambda engine: lock)
    with pytest.raises(PackageError, match="HASHES"):
        build(tmp_path / "out", "pytorch", "preview", PYTHON)
    assert list((tmp_path / "out" / "pytorch").iterdir()) == []


def test_entries_for_other_systems_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = """a==1 ; sys_platform == 'win32' \\
    --hash=sha256:0
b==1 ; python_full_version >= '3.12' \\
    --hash=sha256:1 \\
    --hash=sha256:2
c==1 \\
    --hash=sha256:3
"""
    kept = [line for line in package.entries_for(lock, "3.12").split("\n") if "==" in line]
    assert kept == ["b==1 \\", "c==1 \\"]
    assert "a==1" not in package.entries_for(lock, "3.11")
    assert "b==1" not in package.entries_for(lock, "3.11")


@pytest.fixture
def behind_ray(built: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that Ray imports, in its place in a package, with a decorator of Ray's that leaves the class alone."""
    model = tmp_path / "model"
    shutil.copytree(built.folder, model)
    shutil.copy(package.HERE / "contents" / "darkroom_ray.py", model)
    ray = ModuleType("ray")
    ray.serve = SimpleNamespace(deployment=lambda **_: lambda worker: _Deployed(worker))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    spec = importlib.util.spec_from_file_location("darkroom_ray", model / "darkroom_ray.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PORT", free_port())
    for name, value in {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "DARKROOM_ENGINE": "preview"}.items():
        monkeypatch.setenv(name, value)
    return module


class _Deployed:
    """What Ray makes of a class: it is bound, and made later, in a process of Ray's."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker

    def bind(self) -> Any:
        return self


def test_behind_ray_the_worker_is_a_process_that_is_ready_answers_and_is_missed(behind_ray: Any) -> None:
    worker = behind_ray.app.worker()
    environment = Path(f"/proc/{worker.process.pid}/environ").read_bytes().split(b"\0")
    assert not [entry for entry in environment if entry.startswith(b"CUDA_VISIBLE_DEVICES")]

    class Request:
        async def body(self) -> bytes:
            return b'{"job_id": "1", "type": "txt2img", "parameters": {}, "output": "nonsense"}'

    answer = asyncio.run(worker(Request()))
    assert answer.status_code == 400
    assert WorkAnswer.model_validate_json(answer.body).error
    worker.check_health()
    worker.process.kill()
    worker.process.wait(10)
    with pytest.raises(RuntimeError, match="the worker ended with -9"):
        worker.check_health()


def test_behind_ray_a_worker_that_does_not_start_is_told_at_once(
    behind_ray: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_ENGINE", "comfy")
    with pytest.raises(RuntimeError, match="the worker ended with 2"):
        behind_ray.app.worker()


def wheel(folder: Path, name: str, *told: str) -> Path:
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.dist-info/METADATA", "\n".join([f"Name: {name}", *told]))
    return path


def test_a_wheel_whose_licence_demands_more_is_refused(tmp_path: Path, built: Package) -> None:
    wheels = [
        wheel(tmp_path, "a", "License-Expression: BSD-3-Clause AND 0BSD"),
        wheel(tmp_path, "b", "License: Dual License", "Classifier: License :: OSI Approved :: BSD License"),
        wheel(tmp_path, "c", "License: GPL-3.0"),
        wheel(tmp_path, "d", "License-Expression: MIT AND AGPL-3.0-only"),
        wheel(tmp_path, "e"),
    ]
    assert licences.refused(wheels) == {"c": "GPL-3.0", "d": "MIT AND AGPL-3.0-only", "e": ""}
    assert licences.refused(sorted((built.folder / "wheels").iterdir())) == {}


def test_the_container_of_ones_own_has_what_the_package_has(built: Package) -> None:
    text = (package.ROOT / "worker" / "Dockerfile").read_text()
    copies = dict(re.findall(r"^COPY (\S+) (\S+)$", text, re.M))
    assert copies.pop("layers/worker/${ENGINE}.txt") == "packages.txt"
    code = built.folder / "code"
    for file in code.rglob("*.py"):
        place = file.relative_to(code)
        source = next(source for source, target in copies.items() if target == place.parts[0])
        assert (package.ROOT / source).joinpath(*place.parts[1:]).read_bytes() == file.read_bytes()
    quiet = dict(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=(\S+)", text, re.M))
    assert start.OFFLINE.items() | {("OPT_OUT_TRACKING", "true")} <= quiet.items()
    assert re.search(r'^ENTRYPOINT \["python", "-m", "worker.server"\]\nCMD \["serve"\]$', text, re.M)


def test_the_environment_of_these_tests_is_not_the_containers(container: Container) -> None:
    """What is unpacked is what runs, not what the tests have installed."""
    container.environment["PYTHONNOUSERSITE"] = "1"
    with container.serving() as process:
        wait_until(lambda: Path(f"/proc/{process.pid}/maps").exists())
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
    assert "darkroom-packages-" in loaded
    assert f"{os.sep}.venv{os.sep}lib" not in loaded
