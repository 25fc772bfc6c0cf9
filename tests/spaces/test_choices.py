"""Every sampler and scheduler says what it does and when to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest

from tune_mnist.spaces import SAMPLER_HELP, SCHEDULER_HELP, SamplerName, SchedulerName


@pytest.mark.parametrize(
    ("names", "sentences"), [(SamplerName, SAMPLER_HELP), (SchedulerName, SCHEDULER_HELP)]
)
class TestEveryChoice:
    def test_has_its_sentences_in_the_order_of_the_names(
        self, names: object, sentences: Mapping[str, str]
    ) -> None:
        assert tuple(sentences) == get_args(names)

    def test_says_when_to_use_it(self, names: object, sentences: Mapping[str, str]) -> None:
        silent = [
            n for n, text in sentences.items() if "Use it" not in text and "default" not in text
        ]
        assert silent == []
