"""What the ControlNet units of a job add to the UNet, pass by pass.

As in the extension (scripts/hook.py, `UnetHook.hook`; scripts/controlnet.py, `get_control`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.jobs.contract import ModelFile
from worker.engines import Task
from worker.engines.diffusers import controlnets, vaes
from worker.engines.diffusers.control.arrays import Picture, Size, enlarged, fitted
from worker.engines.diffusers.control.colours import ColourFix
from worker.engines.diffusers.control.depth import Depth
from worker.engines.diffusers.control.maps import Look, look_of, map_of
from worker.engines.diffusers.control.names import DEPTH, OPENPOSE, Preprocessor
from worker.engines.diffusers.control.people import People, is_detector, is_pose_model
from worker.engines.diffusers.control.poses import drawn
from worker.engines.diffusers.control.units import Mode, Passes, Unit, lacking, units_of
from worker.engines.diffusers.foreign import shapes_of
from worker.engines.diffusers.guidance import Residuals, Told
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.plan import Plan
from worker.engines.diffusers.studio import Files
from worker.errors import JobError

SOFTER = 0.825
"""A residual counts so much less than the next deeper one, where the prompt is more important."""
DEEPEST = 12
"""The number of the deepest residual of SD 1.x; those of SDXL are counted in the same way, though there are fewer."""


class Controls:
    """The units of one job. Call it for each pass: it answers what steers that pass."""

    def __init__(self, task: Task, plan: Plan, files: Files, device: str, *, pickles: bool) -> None:
        """Raises JobError for what cannot be done, before anything is loaded."""
        self._size = plan.size
        self._look = partial(task.step, 0.0)
        self._sources = _Sources(task, files, device)
        self._files = files
        self._pickles = pickles
        self._networks: dict[str, Any] = {}
        self._left_out: set[str] = set()
        self._units = [
            _Prepared(unit, file, look_of(task, unit, number, plan.size))
            for number, (unit, file) in enumerate(units_of(task.request, plan.controls), start=1)
        ]

    @property
    def said(self) -> dict[str, str]:
        """What the text under a picture says of the units: `ControlNet 0` and so on."""
        said = {f"ControlNet {number}": each.unit.said for number, each in enumerate(self._units)}
        return {name: text for name, text in said.items() if text}

    @property
    def notices(self) -> list[str]:
        """What the person is told of the units, when the passes are done."""
        names = sorted(self._left_out)
        return [f"The ControlNet {name} was left out where a checkpoint of another family painted." for name in names]

    def __call__(self, model: Model, size: Size, second: bool) -> list["Acting"]:
        """What steers a pass of pictures of `size` by `model`; `second` is the second pass of hires fix."""
        other = Passes.FIRST if second else Passes.SECOND
        return [self._acting(each, model, size, second) for each in self._units if each.unit.hr_option is not other]

    def _acting(self, prepared: "_Prepared", model: Model, size: Size, second: bool) -> "Acting":
        unit, look = prepared.unit, prepared.look
        if prepared.map is None:
            prepared.map = map_of(unit, look, self._size, self._sources.draw)
        network = self._network(prepared.file, model)
        region = None
        if look.region is not None:
            region = enlarged(look.region, size) if unit.stretched_region else fitted(look.region, size, look.fit)
        hint = _tensor(fitted(prepared.map, size, look.fit), model)
        return Acting(
            network=network,
            hint=hint,
            region=None if region is None else _tensor(region, model)[:, :1],
            weights=_weights(unit, network, soft=second and unit.preprocessor.soft_when_larger),
            start=unit.guidance_start,
            end=unit.guidance_end,
            wanted_only=unit.control_mode is Mode.CONTROL,
            pooled=_is_pooled(prepared.file.name, network),
            leave=partial(self._left_out.add, prepared.file.name),
            colours=_colours(unit, hint, model, second=second) if unit.preprocessor.keeps_colours else None,
        )

    def _network(self, file: ModelFile, model: Model) -> Any:
        if file.name not in self._networks:
            self._look()
            path = self._files.path(file, self._look)
            self._networks[file.name] = controlnets.read(path, file.name, model, pickles=self._pickles)
        return self._networks[file.name]


@dataclass
class _Prepared:
    """A unit with what it looks at; its map is made when it is first needed."""

    unit: Unit
    file: ModelFile
    look: Look
    map: Picture | None = None


@dataclass(frozen=True)
class Acting:
    """A unit in one pass. See `guidance.Control`.

    `hint` (1, 3, H, W; 0 to 1) is its map, `region` (1, 1, H, W) how much it counts where. `weights` are those of its
    residuals, the middle last. `wanted_only`: it does not steer what is not wanted. `pooled`: only the mean of each
    residual is added. `colours` keeps those of the map. `leave` is called when the unit does not fit a model.
    """

    network: Any
    hint: Tensor
    region: Tensor | None
    weights: Sequence[float]
    start: float
    end: float
    wanted_only: bool
    pooled: bool
    leave: Callable[[], None]
    colours: ColourFix | None = None

    def corrected(self, clean: Tensor, told: Told) -> Tensor:
        """See `guidance.Control`. It does not depend on the unit's share of the steps."""
        return self.colours.corrected(clean, told) if self.colours and self._fits(told) else clean

    def residuals(self, latents: Tensor, timestep: Tensor, told: Told, share: float) -> Residuals | None:
        """See `guidance.Control`. Nothing outside of the unit's share of the steps, and for a model of another family,
        which a refiner may be."""
        if not self.start <= share <= self.end or not any(self.weights):
            return None
        if not self._fits(told):
            self.leave()
            return None
        dtype = self.network.dtype
        with torch.no_grad():
            down, middle = self.network(
                latents.to(dtype),
                timestep,
                encoder_hidden_states=told.words.to(dtype),
                controlnet_cond=self.hint.to(dtype).expand(len(latents), -1, -1, -1),
                added_cond_kwargs=told.extra_in(dtype),
                return_dict=False,
            )
        counts = torch.ones(len(latents), 1, 1, 1, device=latents.device)
        if self.wanted_only or self.pooled:
            counts[told.wanted * told.pictures :] = 0
        *added, last = (
            self._weighted(each * counts, weight) for each, weight in zip([*down, middle], self.weights, strict=True)
        )
        return added, last

    def _weighted(self, residual: Tensor, weight: float) -> Tensor:
        residual = residual * weight
        if self.region is not None:
            residual = residual * functional.interpolate(self.region, size=residual.shape[-2:], mode="bilinear")
        return residual.mean(dim=(2, 3), keepdim=True).expand_as(residual) if self.pooled else residual

    def _fits(self, told: Told) -> bool:
        config = self.network.config
        if told.words.shape[-1] != config.cross_attention_dim:
            return False
        return (config.addition_embed_type is None) == (told.pooled is None)


def _colours(unit: Unit, hint: Tensor, model: Model, *, second: bool) -> ColourFix:
    made = unit.preprocessor
    radius = int(made.a.value(unit.threshold_a)) * (2 if second else 1)
    return ColourFix(vaes.encode(model, hint * 2 - 1), radius, min(1.0, unit.weight), made.b.value(unit.threshold_b))


def _tensor(picture: Picture, model: Model) -> Tensor:
    shades = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    return shades.to(model.placement.device)


def _weights(unit: Unit, network: Any, *, soft: bool) -> list[float]:
    """What the residuals are multiplied with, the middle's last."""
    many = len(network.controlnet_down_blocks) + 1
    if unit.advanced_weighting:
        if len(unit.advanced_weighting) != many:
            message = f"advanced_weighting: this ControlNet takes {many} weights, not {len(unit.advanced_weighting)}."
            raise JobError("parameter_invalid", message)
        return [*unit.advanced_weighting]
    if soft or unit.control_mode is not Mode.BALANCED:
        return [unit.weight * SOFTER ** (DEEPEST - number) for number in range(many)]
    return [unit.weight] * many


def _is_pooled(name: str, network: Any) -> bool:
    """Whether the ControlNet was trained on shuffled pictures: it has learned colours and no places. The file does not
    tell, so the extension goes by its name; for SDXL there is none."""
    return network.config.addition_embed_type is None and "shuffle" in PurePath(name).stem.lower()


class _Sources:
    """The models of preprocessors, in memory as long as the job."""

    def __init__(self, task: Task, files: Files, device: str) -> None:
        self._given = task.request.files
        self._files = files
        self._device = device
        self._look = partial(task.step, 0.0)

    def draw(self, made: Preprocessor, picture: Picture) -> Picture:
        """See `maps.Draw`."""
        self._look()
        if made.files == OPENPOSE:
            return drawn(self._people.bodies(picture, self._look), (picture.shape[1], picture.shape[0]))
        return self._depth.drawn(picture)

    @cached_property
    def _people(self) -> People:
        files = [(self._files.path(file, self._look), file.name) for file in self._given[OPENPOSE]]
        shapes = [shapes_of(*file) for file in files]
        detector = next((file for file, has in zip(files, shapes, strict=True) if is_detector(has)), None)
        pose = next((file for file, has in zip(files, shapes, strict=True) if is_pose_model(has)), None)
        if detector is None:
            raise lacking(OPENPOSE, OPENPOSE, "a person detector: the model.safetensors of RT-DETR")
        if pose is None:
            raise lacking(OPENPOSE, OPENPOSE, "a pose model: the model.safetensors of ViTPose")
        return People(detector, pose, self._device)

    @cached_property
    def _depth(self) -> Depth:
        file = self._given[DEPTH][0]
        return Depth(self._files.path(file, self._look), file.name, self._device)
