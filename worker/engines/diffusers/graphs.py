"""CUDA graphs: the kernels of one call, recorded once and sent to the GPU in one go ever after.

A graph knows addresses, not modules. It reads its inputs where they stood when it was recorded, and runs the kernels
that were chosen then. So inputs are copied into buffers that stay, weights must stay where they are (a LoRA changes
them in place), and whatever changes what a module does must be part of the key that a graph is kept under.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Tensors = Mapping[str, Tensor]
Run = Callable[[Tensors], Tensor]
"""A computation over named tensors, with one tensor as its answer."""
MOST = 12
"""Graphs of one model that are kept. A job needs one to four: by size, batch and length of its prompts."""


class Recorder(Protocol):
    """Records what a computation does. The only place that knows of CUDA."""

    def warm(self, run: Callable[[], Tensor]) -> Tensor:
        """Runs a computation as it will be recorded; whatever libraries make at the first call is made now."""
        ...

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """A function that repeats the computation over the same memory, and the tensor that then has the answer; it has
        none before the first repetition. Raises RuntimeError for what cannot be recorded."""
        ...

    def release(self) -> None:
        """Gives memory back that no graph uses any more."""
        ...


class CudaRecorder:
    """CUDA graphs. All of one recorder share memory for what lies between input and answer: they never run at the same
    time, and every answer is copied before the next one runs."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()

    def warm(self, run: Callable[[], Tensor]) -> Tensor:
        """See Recorder. On the stream of the recording, as libraries keep workspaces by stream."""
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            answer = run()
        here.wait_stream(self._stream)
        answer.record_stream(here)
        return answer

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """See Recorder. Other threads may use CUDA meanwhile: they load model files."""
        graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                answer = run()
        finally:
            # After a recording that failed torch leaves its stream the current one.
            torch.cuda.set_stream(here)
        return graph.replay, answer

    def release(self) -> None:
        """See Recorder."""
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class _Graph:
    inputs: Tensors
    replay: Callable[[], object]
    answer: Tensor

    def __call__(self, given: Tensors) -> Tensor:
        for name, buffer in self.inputs.items():
            buffer.copy_(given[name])
        self.replay()
        # The next repetition writes over the answer.
        return self.answer.clone()


class Graphs:
    """The graphs of one model. The model owns them: they go when it goes."""

    def __init__(self, recorder: Recorder, most: int = MOST) -> None:
        self._recorder = recorder
        self._most = most
        self._kept: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._warm: dict[Hashable, int] = {}
        self._refused: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def run(self, key: Hashable, compute: Run, given: Tensors, *, more: bool) -> Tensor:
        """The answer of `compute` to `given`. `key` says all that the answer depends on beside the values of `given`
        and of the weights. `more` says that calls of this key will follow.

        The first call of a key only warms up, and the second is recorded: one step alone would gain nothing. What
        cannot be recorded is computed without a graph from then on, and the log says why.
        """
        graph = self._kept.get(key)
        if graph is None and more and key not in self._refused:
            # A library's handles belong to a thread, so each thread warms up by itself.
            if self._warm.get(key) != threading.get_ident():
                self._warm[key] = threading.get_ident()
                return self._recorder.warm(lambda: compute(given))
            graph = self._record(key, compute, given)
        if graph is None:
            return compute(given)
        self._kept.move_to_end(key)
        return graph(given)

    def clear(self) -> None:
        """Forgets every graph, and gives its memory back."""
        self._kept.clear()
        self._warm.clear()
        self._recorder.release()

    def _record(self, key: Hashable, compute: Run, given: Tensors) -> _Graph | None:
        inputs = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in given.items()}
        try:
            replay, answer = self._recorder.record(lambda: compute(inputs))
        except RuntimeError as error:
            # torch.OutOfMemoryError is one of them: without a graph the memory may do.
            log.warning("no graph for %s: %s: %s", key, type(error).__name__, str(error).partition("\n")[0])
            self._refused.add(key)
            return None
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        graph = self._kept[key] = _Graph(inputs, replay, answer)
        return graph
