"""The whole optimisation step as one CUDA graph: a single launch for some hundred kernels.

What: a step on a small batch is bound by launching its kernels, not by running them. It is
recorded once for each batch size of the epoch (full and last) and replayed.

Why exact: the same kernels on the same numbers. The steps that warm up the libraries before the
recording are undone in place: weights, BatchNorm's statistics, and the optimizer's state. That is
zero before the first step, unless it was restored.

What it buys: see benchmarks/gpu.sh. Nothing here has run on a GPU yet where RESULTS.md has no
row for it.
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
    """Return `step`, recorded for batches of these sizes; any other size runs as before.

    Args:
        step: one optimisation step on the GPU, without a wait for its result inside.
        network, optimizer: what the step changes.
        batches: one batch of each size, (n, c, h, w) uint8 and (n,) int64, of real data.

    Raises:
        RuntimeError: the step cannot be recorded; network and optimizer are as before.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with undone(network, optimizer):
        recorded = {len(batch[1]): _record(step, *batch, stream) for batch in batches}

    def replay(images: Tensor, labels: Tensor) -> Tensor:
        graph = recorded.get(len(labels))
        return graph(images, labels) if graph else step(images, labels)

    return replay


def _record(step: Step, images: Tensor, labels: Tensor, stream: torch.cuda.Stream) -> Step:
    """Return a replay of the step on new batches of this size."""
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
    """Put back, in place, what steps inside the block change; new state of the optimizer is 0."""
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
