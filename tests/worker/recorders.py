"""What stands for CUDA graphs where there is no GPU."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx


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


class RepeatingRecorder(TracingRecorder):
    """Repeats the computation itself, over the same memory: for compiled code, in which there is nothing to trace and
    no module that could change."""

    def record(self, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        """See Recorder."""
        self.recorded += 1
        answer = torch.full_like(run(), float("nan"))

        def repeat() -> None:
            self.repeated += 1
            answer.copy_(run())

        return repeat, answer
