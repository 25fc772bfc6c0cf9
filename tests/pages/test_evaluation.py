"""The page of an evaluated model in a real browser, on a phone too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tune_mnist.pages.evaluation import EvaluationSheet, write_evaluation

HOSTILE = "</style><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    picture = io.BytesIO()
    Image.new("RGB", (780, 780), "white").save(picture, "PNG")
    facts, recalls = (("accuracy", "98.34%"),), (("cat", "90.00%"), (HOSTILE, "100.00%"))
    sheet = EvaluationSheet(HOSTILE, "98.34% are right.", facts, recalls, picture.getvalue())
    out = tmp_path_factory.mktemp("evaluation") / "page.html"
    write_evaluation(out, sheet, [("Split", "its own")])
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(Path(out).as_uri())
    return page


def test_names_are_text_and_the_picture_is_drawn(opened: Page) -> None:
    assert opened.locator("h1").inner_text() == HOSTILE
    assert opened.locator(".recalls tbody th").all_inner_texts() == ["cat", HOSTILE]
    widths = opened.locator("img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert widths == [780]


def test_a_phone_shows_it_without_scrolling_sideways(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
