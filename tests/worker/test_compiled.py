"""Compiled UNets: real compiling on the processor, beside the jobs, with packages in S3."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch
from moto import mock_aws

from tests.worker.files import CPU, checkpoint_file, folder, loaded
from tests.worker.jobs import pictures_of, request_of, task_of
from tests.worker.recorders import RepeatingRecorder
from tests.worker.test_graphs import inputs
from tests.worker.test_painting import apart
from worker.engines.diffusers import hypernetworks, loras, tiny, tiny_networks, weights
from worker.engines.diffusers.compiled import CompilesBeside, KeptInS3, compile_beside, kept, runners
from worker.engines.diffusers.compiling import Recipe, load_package, recipe
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Models
from worker.engines.diffusers.running import Inputs, Runner
from worker.engines.diffusers.studio import tiled
from worker.engines.diffusers.weights import Use
from worker.model_files import ModelFiles
from worker.store import Location, Store

PREFIX = "s3://models/compiled/"
NAME = "tiny-sd15"
# A C++ compiler on a busy machine takes minutes.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


def given() -> Inputs:
    """What a job of the tiny checkpoint calls the UNet with: a picture of 64 by 64 pixels and its negative prompt."""
    return inputs(loaded(NAME))


def made() -> Recipe:
    model = loaded(NAME)
    named = given().named(torch.float32)
    return recipe(model.unet, tuple((name, tuple(each.shape), each.dtype) for name, each in named.items()))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What compiling really makes, in a process of its own. It takes half a minute, so it is done once."""
    path = tmp_path_factory.mktemp("compiled") / "unet.pt2"
    compile_beside(made(), path, nice=0)
    return path.read_bytes()


class Compiling:
    """A compiler whose end a test can wait for, and which counts what it builds."""

    def __init__(self, build: Callable[[Recipe, Path], None], keep: Any = None, often: int = 2) -> None:
        self.built: list[Recipe] = []
        self.done = threading.Semaphore(0)

        def counted(made: Recipe, package: Path) -> None:
            self.built.append(made)
            build(made, package)

        self.compiler = CompilesBeside(keep, counted, often, self.done.release)

    def wait(self) -> None:
        """Waits until the next shape is ready, or has failed."""
        assert self.done.acquire(timeout=120)


def copies(package: bytes) -> Callable[[Recipe, Path], None]:
    """A build that takes no time."""

    def build(made: Recipe, path: Path) -> None:
        path.write_bytes(package)

    return build


class Watched:
    """A model whose UNet is called through a runner that compiles."""

    def __init__(self, compiling: Compiling, *, graphs: bool = False) -> None:
        self.model = loaded(NAME)
        self.recorder = RepeatingRecorder() if graphs else None
        self.runner = self.model.runner = Runner(self.model.unet, self.recorder, compiling.compiler)

    def passes(self, times: int = 1) -> None:
        """Passes of three steps, each as the UNet alone would answer."""
        for _ in range(times):
            self.runner.begin(3)
            for seed in range(3):
                self.same(inputs(self.model, seed=seed))

    def same(self, given: Inputs) -> None:
        """Asserts that the runner answers as the UNet alone does."""
        torch.testing.assert_close(self.runner(given), Runner(self.model.unet)(given), rtol=1e-3, atol=1e-4)

    def takes(self, code: "Counting") -> int:
        """How many calls of a pass the compiled code answers."""
        before = code.calls
        self.passes()
        return code.calls - before


class Counting:
    """Counts the calls of compiled code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any] = lambda answer: answer) -> None:
        from worker.engines.diffusers import compiled

        self.calls = 0
        real = load_package

        def load(path: Path, made: Recipe) -> Any:
            code = real(path, made)

            def run(weights: Any, given: Any) -> Any:
                self.calls += 1
                return change(code(weights, given))

            return run

        monkeypatch.setattr(compiled, "load_package", load)


def test_a_shape_is_compiled_when_it_comes_again_and_answers_from_the_next_pass_on(
    package: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, compiling = Counting(monkeypatch), Compiling(copies(package))
    watched = Watched(compiling)
    watched.passes()
    assert not compiling.built
    watched.runner.begin(3)
    watched.same(given())
    compiling.wait()
    # The pass that is under way goes on as it began.
    watched.same(given())
    assert code.calls == 0
    assert watched.takes(code) > 0
    assert [each.digest for each in compiling.built] == [made().digest]


@pytest.mark.parametrize("graphs", [False, True])
def test_loras_change_the_weights_under_compiled_code(
    package: bytes, graphs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, compiling = Counting(monkeypatch), Compiling(copies(package))
    watched = Watched(compiling, graphs=graphs)
    watched.passes(2)
    compiling.wait()
    watched.passes()
    before = watched.runner(given())
    for form in ("lora", "dora"):
        path = tiny.write(tmp_path / f"{form}.safetensors", tiny_networks.lora(watched.model, form))
        repeated = watched.recorder.repeated if watched.recorder else 0
        with weights.apply(watched.model, [Use(loras.read(path, path.name))]):
            watched.passes()
            assert not torch.allclose(watched.runner(given()), before, atol=1e-3)
        if watched.recorder:
            # What was recorded over the compiled code stays valid, too.
            assert watched.recorder.repeated > repeated
        watched.passes()
        torch.testing.assert_close(watched.runner(given()), before)
    assert code.calls > 0
    assert len(compiling.built) == 1
    # One over the UNet as it is, one over what was compiled.
    assert not watched.recorder or watched.recorder.recorded == 2


def test_hypernetworks_and_tiling_are_not_painted_by_compiled_code(
    package: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, compiling = Counting(monkeypatch), Compiling(copies(package))
    watched = Watched(compiling)
    watched.passes(2)
    compiling.wait()
    assert watched.takes(code)
    path = tiny_networks.write_pickle(tmp_path / "hyper.pt", tiny_networks.hypernetwork(Family.SD1))
    network = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True)
    with hypernetworks.apply(watched.model, [(network, 1.0)]):
        assert watched.takes(code) == 0
    with tiled(watched.model):
        assert watched.takes(code) == 0
    assert watched.takes(code) == 3


def test_another_checkpoint_of_the_family_takes_the_same_package_with_its_own_weights(
    package: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, compiling = Counting(monkeypatch), Compiling(copies(package))
    Watched(compiling).passes(2)
    compiling.wait()
    other = Watched(compiling)
    for parameter in other.model.unet.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    assert other.takes(code) > 0
    assert len(compiling.built) == 1


def test_code_that_answers_otherwise_is_left_alone(
    package: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    code = Counting(monkeypatch, lambda answer: answer * 1.1)
    compiling = Compiling(copies(package))
    watched = Watched(compiling)
    watched.passes(2)
    compiling.wait()
    watched.passes(2)
    assert code.calls == 1
    assert "0.100 apart" in caplog.text


@pytest.mark.parametrize("graphs", [False, True])
def test_code_that_fails_later_costs_no_job(
    package: bytes, graphs: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False

    def answer(whole: Any) -> Any:
        if broken:
            raise RuntimeError("run_func_(...) API call failed")
        return whole

    code, compiling = Counting(monkeypatch, answer), Compiling(copies(package))
    watched = Watched(compiling, graphs=graphs)
    watched.passes(2)
    compiling.wait()
    watched.passes()
    assert code.calls > 0
    broken = True
    calls = code.calls
    watched.passes(2)
    # Tried once more, and then left alone.
    assert code.calls == calls + 1
    assert "is made again" in caplog.text


def failing(made: Recipe, package: Path) -> None:
    raise RuntimeError("no compiler is here")


def garbage(made: Recipe, package: Path) -> None:
    package.write_bytes(b"no package")


@pytest.mark.parametrize(("build", "says"), [(failing, "no compiler is here"), (garbage, "cannot load")])
def test_what_cannot_be_compiled_is_told_and_not_tried_again(
    build: Callable[[Recipe, Path], None], says: str, caplog: pytest.LogCaptureFixture, bucket: Any
) -> None:
    compiling = Compiling(build, kept({"DARKROOM_COMPILED": PREFIX}, Store()))
    watched = Watched(compiling)
    watched.passes(2)
    compiling.wait()
    watched.passes(3)
    assert says in caplog.text
    assert len(compiling.built) == 1
    assert bucket.list_objects_v2(Bucket="models")["KeyCount"] == 0


def test_the_next_instance_fetches_what_one_compiled(
    package: bytes, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Compiling(copies(package), kept({"DARKROOM_COMPILED": PREFIX}, Store()))
    Watched(first).passes(2)
    first.wait()
    [entry] = bucket.list_objects_v2(Bucket="models")["Contents"]
    assert entry["Key"].startswith("compiled/torch-2.")
    assert entry["Key"].endswith(f"/{made().digest}.pt2")
    code, second = Counting(monkeypatch), Compiling(failing, kept({"DARKROOM_COMPILED": PREFIX}, Store()))
    watched = Watched(second)
    # A shape that is asked for once is enough.
    watched.passes()
    second.wait()
    assert watched.takes(code) > 0
    assert not second.built


def test_a_package_that_is_broken_is_compiled_anew(package: bytes, bucket: Any) -> None:
    place = KeptInS3(Location.parse(PREFIX), Store())
    place.write(made(), b"no package")
    compiling = Compiling(copies(package), place)
    Watched(compiling).passes(2)
    compiling.wait()
    assert len(compiling.built) == 1
    assert place.read(made()) == package


def test_a_store_that_fails_costs_nothing_but_the_package(
    package: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiling = Compiling(copies(package), kept({"DARKROOM_COMPILED": "s3://nobodys/compiled/"}, Store()))
    code = Counting(monkeypatch)
    watched = Watched(compiling)
    watched.passes(2)
    compiling.wait()
    assert watched.takes(code) > 0
    assert "cannot keep" in caplog.text


@pytest.mark.parametrize("uri", ["s3://models", "s3://models/compiled", "/tmp/compiled/"])  # noqa: S108 - not used
def test_a_place_that_is_no_folder_in_s3_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"DARKROOM_COMPILED|S3"):
        kept({"DARKROOM_COMPILED": uri}, Store())


def test_a_processor_has_neither_graphs_nor_compiled_code_and_a_wrong_word_is_refused() -> None:
    unet = loaded(NAME).unet
    for word in ("compiled", "graphs", "plain"):
        runner = runners("cpu", {"DARKROOM_SPEED": word, "DARKROOM_COMPILED": PREFIX}, Store())(unet)
        assert runner.graphs is None
    assert runners("cuda", {"DARKROOM_SPEED": "plain"}, Store())(unet).graphs is None
    with pytest.raises(ValueError, match="compiled, graphs, plain"):
        runners("cuda", {"DARKROOM_SPEED": "fast"}, Store())
    with pytest.raises(ValueError, match="slash"):
        runners("cpu", {"DARKROOM_COMPILED": "s3://models/compiled"}, Store())


def test_a_recipe_differs_with_all_that_a_package_depends_on() -> None:
    plain = made()
    others = [
        replace(plain, torch="2.14"),
        replace(plain, diffusers="0.43"),
        replace(plain, card="NVIDIA L4 8.9"),
        replace(plain, inputs=plain.inputs[:-1]),
        replace(plain, weights=plain.weights[:-1]),
        replace(plain, config={**plain.config, "attention_head_dim": 4}),
    ]
    assert len({each.digest for each in [plain, *others]}) == 7
    assert made().digest == plain.digest


def test_the_most_wanted_shape_is_compiled_first() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(made: Recipe, package: Path) -> None:
        begun.set()
        assert go_on.wait(60)
        raise RuntimeError("done")

    compiling = Compiling(slow, often=1)
    unet = loaded(NAME).unet
    shapes = [(("latents", (rows, 4, 8, 8), torch.float32),) for rows in (1, 2, 3)]
    compiling.compiler.asked(unet, shapes[0])
    assert begun.wait(60)
    for wanted in (1, 2, 2):
        compiling.compiler.asked(unet, shapes[wanted])
    go_on.set()
    for _ in shapes:
        compiling.wait()
    assert [each.inputs[0][1][0] for each in compiling.built] == [1, 3, 2]


def test_a_compiler_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    *others, (name, _, precision) = made().inputs
    broken = replace(made(), inputs=(*others, (name, (2, 77, 33), precision)))
    with pytest.raises(RuntimeError, match="Error") as error:
        compile_beside(broken, tmp_path / "unet.pt2")
    assert "\n" not in str(error.value)


def test_whole_jobs_paint_the_same_picture_when_they_are_compiled(
    package: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    code, compiling = Counting(monkeypatch), Compiling(copies(package))
    models = Models(CPU, runner=lambda unet: Runner(unet, RepeatingRecorder(), compiling.compiler))
    engine = DiffusersEngine(ModelFiles(Store(), cache=folder() / "cache", local=folder()), models)
    assert checkpoint_file(NAME).is_file()
    pictures = []
    for number in range(4):
        task = task_of(request_of(NAME))
        engine.load(task)
        pictures += pictures_of([*engine.paint(task)])
        if number == 1:
            compiling.wait()
    assert code.calls > 0
    assert all(apart(pictures[0], each) < 0.05 for each in pictures[1:])
