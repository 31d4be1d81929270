"""What stands for CUDA graphs where there is no GPU."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from worker.engines.diffusers.graphs import CudaRecorder, Recorder


class TracingRecorder:
    """Records the operations on tensors, and repeats exactly these over the same memory. Like a graph it knows nothing
    of modules: a hook or another padding that comes later changes nothing, a weight that changes in place does.

    `refuse` makes the next recordings fail, as a call does that cannot be recorded.
    """

    def __init__(self) -> None:
        self.warmed = self.recorded = self.repeated = self.released = 0
        self.refuse: Exception | None = None

    def warm(self, run: Callable[[], Tensor]) -> Tensor:
        """See Recorder."""
        self.warmed += 1
        return run()

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """See Recorder. The answer has no numbers before the first repetition."""
        if self.refuse:
            raise self.refuse
        self.recorded += 1
        operations = make_fx(run)()
        answer = torch.full_like(operations(), float("nan"))

        def repeat() -> None:
            self.repeated += 1
            answer.copy_(operations())

        return repeat, answer

    def release(self) -> None:
        """See Recorder."""
        self.released += 1


def recorder() -> Recorder:
    """The real one where there is a GPU."""
    return CudaRecorder() if torch.cuda.is_available() else TracingRecorder()
