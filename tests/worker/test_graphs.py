"""Recorded graphs: the same answers as without, and none that is out of date."""

import gc
import threading
import weakref
from typing import Any

import pytest
import torch

from tests.worker.files import CPU, checkpoint_file, folder, loaded
from tests.worker.jobs import PLAIN, file, pictures_of, request_of, task_of
from tests.worker.recorders import TracingRecorder
from tests.worker.test_painting import apart
from worker.engines.diffusers import hypernetworks, tiny, tiny_networks, weights
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.graphs import Graphs
from worker.engines.diffusers.models import Model, Models
from worker.engines.diffusers.running import Inputs, Runner
from worker.engines.diffusers.studio import tiled
from worker.engines.diffusers.weights import Use
from worker.model_files import ModelFiles
from worker.store import Store

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def no_gradients() -> Any:
    with torch.no_grad():
        yield


def inputs(model: Model, *, rows: int = 2, words: int = 77, side: int = 8, seed: int = 0) -> Inputs:
    """Random inputs for the UNet of a tiny model."""
    made = torch.Generator().manual_seed(seed)
    config = model.unet.config
    extra = getattr(config, "projection_class_embeddings_input_dim", None)
    pooled = torch.randn(rows, extra % 256, generator=made) if extra else None
    ids = torch.randn(rows, extra // 256, generator=made) if extra else None
    latents = torch.randn(rows, config.in_channels, side, side, generator=made)
    told = torch.randn(rows, words, config.cross_attention_dim, generator=made)
    return Inputs(latents, torch.full((rows,), 500.0), told, pooled, ids)


class Watched:
    """A model whose UNet is called through recorded graphs, beside the plain UNet."""

    def __init__(self, name: str = "tiny-sd15") -> None:
        self.model = loaded(name)
        self.recorder = TracingRecorder()
        self.runner = self.model.runner = Runner(self.model.unet, self.recorder)
        self.runner.begin(100)

    def same(self, given: Inputs | None = None) -> None:
        """Asserts that the runner answers as the UNet alone does."""
        given = given or inputs(self.model)
        torch.testing.assert_close(self.runner(given), Runner(self.model.unet)(given), rtol=1e-5, atol=1e-5)

    def settle(self, given: Inputs | None = None) -> None:
        """Calls until there is a graph."""
        for _ in range(3):
            self.same(given)
        assert self.recorder.repeated


@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sd15-inpainting", "tiny-sdxl", "tiny-sdxl-refiner"])
def test_a_graph_answers_as_the_unet_does_for_ever_new_inputs(name: str) -> None:
    watched = Watched(name)
    for seed in range(5):
        watched.same(inputs(watched.model, seed=seed))
    assert (watched.recorder.warmed, watched.recorder.recorded, watched.recorder.repeated) == (1, 1, 4)


def test_an_answer_outlives_the_next_one() -> None:
    watched = Watched()
    watched.settle()
    first = watched.runner(inputs(watched.model, seed=1))
    kept = first.clone()
    watched.runner(inputs(watched.model, seed=2))
    assert torch.equal(first, kept)


def test_every_shape_has_a_graph_of_its_own_and_so_have_residuals() -> None:
    watched = Watched()
    model = watched.model
    shapes: list[dict[str, int]] = [{}, {"rows": 1}, {"words": 154}, {"side": 16}]
    for _ in range(3):
        for shape in shapes:
            watched.same(inputs(model, **shape))
    assert len(watched.runner.graphs or ()) == watched.recorder.recorded == 4
    plain = inputs(model)
    many = [(2, 32, 8, 8), (2, 32, 8, 8), (2, 32, 4, 4), (2, 64, 4, 4)]
    added = Inputs(
        plain.latents, plain.timestep, plain.words, down=tuple(map(torch.randn, many)), middle=torch.randn(2, 64, 4, 4)
    )
    for _ in range(3):
        watched.same(added)
    assert watched.recorder.recorded == 5


def test_one_step_alone_is_not_recorded() -> None:
    watched = Watched()
    for _ in range(4):
        watched.runner.begin(1)
        watched.same()
    assert (watched.recorder.warmed, watched.recorder.recorded) == (0, 0)
    # The last step of a pass is none that others follow.
    watched.runner.begin(2)
    watched.same()
    watched.same()
    assert (watched.recorder.warmed, watched.recorder.recorded) == (1, 0)


def test_loras_change_the_weights_under_a_graph_which_stays_valid(tmp_path: Any) -> None:
    from worker.engines.diffusers import loras

    watched = Watched()
    watched.settle()
    before = watched.runner(inputs(watched.model))
    path = tiny.write(tmp_path / "lora.safetensors", tiny_networks.lora(watched.model))
    with weights.apply(watched.model, [Use(loras.read(path, path.name))]):
        watched.same()
        assert not torch.allclose(watched.runner(inputs(watched.model)), before, atol=1e-3)
    watched.same()
    assert torch.equal(watched.runner(inputs(watched.model)), before)
    assert watched.recorder.recorded == 1


def test_hypernetworks_are_never_painted_by_a_graph_nor_left_out_by_one(tmp_path: Any) -> None:
    watched = Watched()
    watched.settle()
    before = watched.runner(inputs(watched.model))
    path = tiny_networks.write_pickle(tmp_path / "hyper.pt", tiny_networks.hypernetwork(Family.SD1))
    network = hypernetworks.read(path, path.name, "cpu", torch.float32, pickles=True)
    repeated = watched.recorder.repeated
    for strength in (1.0, 0.5):
        with hypernetworks.apply(watched.model, [(network, strength)]):
            for _ in range(3):
                watched.same()
            assert not torch.allclose(watched.runner(inputs(watched.model)), before, atol=1e-4)
    assert (watched.recorder.recorded, watched.recorder.repeated) == (1, repeated)
    assert torch.equal(watched.runner(inputs(watched.model)), before)


def test_tiling_has_graphs_of_its_own() -> None:
    watched = Watched()
    watched.settle()
    before = watched.runner(inputs(watched.model))
    with tiled(watched.model):
        for _ in range(3):
            watched.same()
        assert not torch.allclose(watched.runner(inputs(watched.model)), before, atol=1e-4)
    watched.same()
    assert watched.recorder.recorded == 2
    assert torch.equal(watched.runner(inputs(watched.model)), before)


def test_weights_that_moved_are_not_read_at_their_old_place() -> None:
    watched = Watched()
    watched.settle()
    watched.model.unet.to(memory_format=torch.channels_last)
    for parameter in watched.model.unet.parameters():
        parameter.data = parameter.data.clone() * 1.1
    watched.settle()
    assert watched.recorder.recorded == 2


def test_the_graph_that_was_not_used_for_longest_goes() -> None:
    recorder = TracingRecorder()
    graphs = Graphs(recorder, most=2)
    doubled = lambda given: given["x"] * 2  # noqa: E731
    for rows in (1, 1, 2, 2, 1, 3, 3):
        x = torch.randn(rows)
        assert torch.equal(graphs.run(rows, doubled, {"x": x}, more=True), x * 2)
    assert (len(graphs), recorder.recorded) == (2, 3)
    for rows, recorded in ((1, 3), (3, 3), (2, 4)):
        graphs.run(rows, doubled, {"x": torch.randn(rows)}, more=True)
        assert recorder.recorded == recorded


@pytest.mark.parametrize("error", [RuntimeError("operation not permitted"), torch.OutOfMemoryError("no memory")])
def test_what_cannot_be_recorded_is_painted_without_and_the_log_says_why(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched()
    watched.recorder.refuse = error
    for seed in range(4):
        watched.same(inputs(watched.model, seed=seed))
    assert str(error) in caplog.text
    assert len(caplog.records) == 1
    watched.recorder.refuse = None
    watched.same()
    assert watched.recorder.recorded == 0


def test_memory_that_does_not_do_costs_the_graphs_and_not_the_job() -> None:
    watched = Watched()
    watched.settle()
    failing = [torch.OutOfMemoryError("no memory")]
    real = watched.recorder.warm

    def warm(run: Any) -> Any:
        if failing:
            raise failing.pop()
        return real(run)

    watched.recorder.warm = warm  # type: ignore[method-assign]
    watched.same(inputs(watched.model, side=16))
    assert (len(watched.runner.graphs or ()), watched.recorder.released) == (0, 1)
    watched.settle()


def test_each_thread_warms_up_by_itself() -> None:
    watched = Watched()
    watched.same()

    def elsewhere() -> None:
        with torch.no_grad():
            watched.runner(inputs(watched.model))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert (watched.recorder.warmed, watched.recorder.recorded) == (2, 0)


class Recording:
    """An engine on the tiny checkpoints that paints through graphs."""

    def __init__(self) -> None:
        self.recorder = TracingRecorder()
        files = ModelFiles(Store(), cache=folder() / "cache", local=folder())
        runner = lambda unet: Runner(unet, self.recorder)  # noqa: E731
        self.engine = DiffusersEngine(files, Models(CPU, pickles=True, runner=runner))

    def paint(self, engine: DiffusersEngine | None = None, checkpoint: str = "tiny-sd15", **fields: Any) -> Any:
        """The first picture of a job."""
        engine = engine or self.engine
        task = task_of(request_of(checkpoint, **fields), fields.get("pictures"))
        engine.load(task)
        return pictures_of([*engine.paint(task)])[0]

    def plain(self, checkpoint: str = "tiny-sd15", **fields: Any) -> Any:
        """The same without graphs."""
        from tests.worker.jobs import engine

        return self.paint(engine(), checkpoint, **fields)


def test_whole_jobs_paint_the_same_pictures_in_any_order() -> None:
    recording = Recording()
    refiner = {"stable-diffusion": [file(checkpoint_file("tiny-sdxl-refiner").name)]}
    refined: dict[str, Any] = {
        "models": refiner, "refiner_checkpoint": "tiny-sdxl-refiner", "refiner_switch_at": 0.5, "steps": 8,
    }  # fmt: skip
    jobs: list[tuple[str, dict[str, Any]]] = [
        ("tiny-sd15", {}),
        ("tiny-sd15", {"tiling": True}),
        ("tiny-sd15", {"batch_size": 2, "sampler_name": "DPM++ 2M SDE"}),
        ("tiny-sd15", {"enable_hr": True, "denoising_strength": 0.7}),
        ("tiny-sdxl", {}),
        ("tiny-sdxl", refined),
        ("tiny-sd15", {"prompt": "a pier " * 90}),
        ("tiny-sd15", {}),
    ]
    for checkpoint, fields in jobs:
        painted = recording.paint(checkpoint=checkpoint, **fields)
        assert apart(painted, recording.plain(checkpoint, **fields)) < 0.01, (checkpoint, fields)
    assert recording.recorder.recorded >= len(jobs)
    assert PLAIN["steps"] > 1


def test_a_checkpoint_that_leaves_the_memory_takes_its_graphs_along() -> None:
    recording = Recording()
    recording.paint()
    [model] = [recording.engine.models.get(checkpoint_file("tiny-sd15"), "tiny-sd15.safetensors")]
    graphs = weakref.ref(model.runner.graphs)
    assert len(model.runner.graphs or ()) == 1
    recording.paint(checkpoint="tiny-sdxl")
    del model
    gc.collect()
    assert graphs() is None


def test_a_checkpoint_under_another_name_keeps_its_graphs() -> None:
    models = Models(CPU, runner=lambda unet: Runner(unet, TracingRecorder()))
    path = checkpoint_file("tiny-sd15")
    assert models.get(path, "one").runner is models.get(path, "another").runner
