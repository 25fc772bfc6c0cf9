"""What tests of several rooms share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

# A loaded machine is slow, and that is no fault: Hypothesis would look for minutes for the smallest
# example that is slow too.
settings.register_profile("tune_mnist", deadline=None)
settings.load_profile("tune_mnist")

_DEBIAN = Path("/usr/bin/chromium")
_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Not for the whole session: while it lives, no other test may run an event loop in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: Debian's where it is, else the one that Playwright installed."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=_DEBIAN if _DEBIAN.exists() else None, args=[*_FLAGS, *root]
        )
        yield chromium
        chromium.close()
