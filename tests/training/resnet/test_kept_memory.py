"""Memory that a training frees and allocates again costs no page faults."""

from __future__ import annotations

import platform
import resource

import numpy as np
import pytest

from tune_mnist.training.resnet.kept_memory import kept_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's setting")
def test_memory_that_is_allocated_again_costs_no_new_page_faults() -> None:
    megabytes, page = 8 << 20, resource.getpagesize()
    with kept_memory():
        np.empty(megabytes, np.uint8).fill(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            np.empty(megabytes, np.uint8).fill(1)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < megabytes // page
