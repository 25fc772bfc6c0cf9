"""The whole optimisation step as one CUDA graph: a single launch for some hundred kernels.

What: on a small batch a GPU spends more time launching the kernels of a step than running them. So
the step is recorded once for each batch size of an epoch (the full one and the last) and replayed.

Why exact: the same kernels run on the same numbers. Recording needs a few steps that warm up the
libraries. They are undone in place: weights, BatchNorm's statistics and the optimizer's state,
which is zero before the first step unless it was restored.

What it buys: not measured yet; `benchmarks/gpu.sh` measures it on a GPU. What has run on one has a
row in benchmarks/RESULTS.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor], Tensor]

_WARM_UP_STEPS = 3


def graphed_step(
    step: Step,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
) -> Step:
    """Return a step that replays `step`, recorded for batches of these sizes.

    Batches of any other size run `step` itself.

    Args:
        step: one optimisation step on the GPU, which must not wait for its own result.
        network, optimizer: what the step changes.
        batches: one batch of each size, (n, c, h, w) uint8 and (n,) int64, of real data.

    Raises:
        RuntimeError: the step cannot be recorded; network and optimizer are unchanged.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with undone(network, optimizer):
        recorded = {len(batch[1]): _record(step, *batch, stream) for batch in batches}

    def replay(images: Tensor, labels: Tensor) -> Tensor:
        graph = recorded.get(len(labels))
        return graph(images, labels) if graph else step(images, labels)

    return replay


def _record(step: Step, images: Tensor, labels: Tensor, stream: torch.cuda.Stream) -> Step:
    """Record the step on a copy of this batch; return its replay for new batches of this size."""
    static_images, static_labels = images.cuda().clone(), labels.cuda().clone()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP_STEPS):
            step(static_images, static_labels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        result = step(static_images, static_labels)

    def replay(images: Tensor, labels: Tensor) -> Tensor:
        static_images.copy_(images, non_blocking=True)
        static_labels.copy_(labels, non_blocking=True)
        graph.replay()
        return result

    return replay


@contextmanager
def undone(network: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Undo in place what steps inside the block change.

    State that the optimizer creates inside the block is set to zero, its value before a first step.
    """
    held = _optimizer_tensors(optimizer)
    tensors = [*network.parameters(), *network.buffers(), *held]
    before = [tensor.detach().clone() for tensor in tensors]
    kept = {id(tensor) for tensor in held}
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
            for tensor in _optimizer_tensors(optimizer):
                if id(tensor) not in kept:
                    tensor.zero_()


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [tensor for state in optimizer.state.values() for tensor in state.values()]
