"""The contact sheet in a real browser: images are seen, nothing is requested, names are text."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tune_mnist.pages.contact_sheet import Sheet, SheetClass, write_contact_sheet

HOSTILE = "</style><img src=x onerror=alert(1)><b>&amp;{{7*7}}\x1b[31m"


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((9, 7), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    images = tuple(map(png, range(5)))
    classes = (
        SheetClass("cat", (("training", 1200, images), ("validation", 5, images), ("test", 0, ()))),
        SheetClass(HOSTILE, (("training", 5, images), ("validation", 1, images[:1]))),
    )
    sheet = Sheet(HOSTILE, HOSTILE, (("classes", "9"),), (HOSTILE,), classes, 9)
    out = tmp_path_factory.mktemp("sheet") / "sheet.html"
    write_contact_sheet(out, sheet, [("Split", "its own")])
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on(
        "request",
        lambda asked: complaints.append(asked.url) if not asked.url.startswith("data:") else None,
    )
    page.goto(Path(out).as_uri())
    assert complaints == [out.as_uri()]
    return page


def test_every_image_is_drawn(opened: Page) -> None:
    widths = opened.locator("img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert widths == [7] * 16


def test_counts_stand_beside_the_images_and_none_is_marked(opened: Page) -> None:
    cat = opened.locator(".sheet").first
    assert cat.locator(".note").all_inner_texts() == ["training 1,200", "validation 5", "test 0"]
    assert cat.locator(".none .note").all_inner_texts() == ["test 0"]


def test_names_are_text_and_never_markup(opened: Page) -> None:
    shown = HOSTILE.replace("\x1b", "\\x1b")
    assert opened.locator("h1").inner_text() == shown
    assert opened.locator(".sheet h3").last.inner_text() == shown
    assert opened.locator(".notes li").inner_text() == shown


def test_classes_without_a_place_are_counted(opened: Page) -> None:
    assert "and 7 more classes" in opened.locator("main").inner_text()


def test_a_phone_shows_it_without_scrolling_sideways(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    width = opened.evaluate("document.documentElement.scrollWidth")
    opened.set_viewport_size({"width": 1280, "height": 900})
    assert width == 390
