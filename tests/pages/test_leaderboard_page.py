"""The page in a real browser: what a reader sees, without complaints or requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.analysis.example_store import Trial, epochs, failed, trial, write_store
from tune_mnist.pages.leaderboard import write_leaderboard

_DRAWN = """() => [...document.querySelectorAll(".view:not([hidden]) .plot")]
    .every((plot) => plot.querySelector("svg.main-svg"))"""

Opener = Callable[[Sequence[Trial]], Page]


def svms() -> list[Trial]:
    kernels = ["rbf", "poly", "rbf", "linear"]
    return [
        trial(f"t{i}", 0.9 - i / 100, config={"kernel": kernel, "C": 10.0**i})
        for i, kernel in enumerate(kernels)
    ]


def resnet(name: str, *accuracies: float) -> Trial:
    config = {"architecture": "resnet18", "learning_rate": 0.001, "epochs": len(accuracies)}
    return trial(name, accuracies[-1], model="resnet", config=config, reports=epochs(*accuracies))


@pytest.fixture(scope="module")
def opener(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Open the page of a store; no page may request anything or write to the console."""
    complaints: list[str] = []

    def open_page(trials: Sequence[Trial]) -> Page:
        folder = tmp_path_factory.mktemp("page")
        out = folder / "page.html"
        write_leaderboard(write_store(folder / "store", trials), out)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(out.as_uri())
        page.wait_for_function(_DRAWN)
        complaints.remove(out.as_uri())  # the page itself is the only request
        assert complaints == []
        return page

    yield open_page
    assert complaints == []


@pytest.fixture(scope="module")
def example(opener: Opener) -> Page:
    """One page for all tests that need no special trials, because opening one takes seconds."""
    untested = {**svms()[-1], "trial": "t3", "test_accuracy": None}
    resnets = [resnet("r1", 0.7, 0.8), resnet("r2", 0.6, 0.7, 0.75)]
    return opener([*svms()[:-1], untested, failed("c", "long" * 200), *resnets])


HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;%{x}{{7*7}}"


def column(page: Page, heading: str) -> list[str]:
    """The cells below a heading, in the order shown."""
    number = page.get_by_role("columnheader", name=heading).evaluate("th => th.cellIndex + 1")
    return page.locator(f"tbody td:nth-child({number})").all_inner_texts()


def test_winner_is_shown(example: Page) -> None:
    winner = example.locator(".winner")
    assert winner.locator("h3").inner_text() == "svm rbf"
    assert "90.00%" in winner.inner_text()


def test_every_chart_is_drawn(example: Page) -> None:
    figures = example.locator("figure").all()
    assert [figure.locator("h3").inner_text() for figure in figures] == [
        "Accuracy against wall time",
        "Best so far",
        "Training curves",
        "Hyperparameters and accuracy",
    ]
    assert all(figure.locator("svg.main-svg .trace").count() for figure in figures)


def test_tab_shows_its_own_chart(example: Page) -> None:
    example.get_by_role("radio", name="loss").check(force=True)
    example.wait_for_function(_DRAWN)
    titles = example.locator(".view:visible .ytitle").all_text_contents()
    assert "cross-entropy (nat)" in titles
    assert "accuracy" not in titles


def test_clicking_a_heading_sorts_the_best_first_and_again_reverses(example: Page) -> None:
    heading = example.get_by_role("button", name="trial")
    heading.click()
    assert column(example, "trial") == ["r1", "r2", "t0", "t1", "t2", "t3"]
    heading.click()
    assert column(example, "trial") == ["t3", "t2", "t1", "t0", "r2", "r1"]
    assert example.locator("th[aria-sort]").all_inner_texts() == ["trial"]


def test_table_sorts_by_keyboard_with_missing_values_last(example: Page) -> None:
    example.get_by_role("button", name="test accuracy").focus()
    example.keyboard.press("Enter")
    assert column(example, "test accuracy") == ["90.00", "89.00", "88.00", "80.00", "75.00", "–"]


def test_a_heading_explains_itself_on_focus(example: Page) -> None:
    example.get_by_role("button", name="val accuracy").focus()
    assert example.get_by_role("tooltip").inner_text().startswith("correct predictions on the val")


def test_hovering_over_a_line_brings_it_forward(example: Page) -> None:
    line = example.locator("figure").last.locator(".plot:visible path.js-line").last
    line.scroll_into_view_if_needed()
    x, y = line.evaluate(
        """path => {
            const start = path.getPointAtLength(0).matrixTransform(path.getScreenCTM());
            return [start.x, start.y];
        }"""
    )
    example.mouse.move(x, y)
    example.wait_for_selector(".trace.hot")
    assert "validation" in (example.locator(".hovertext").text_content() or "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_use_the_text_colour_of_the_theme(
    example: Page, scheme: Literal["light", "dark"]
) -> None:
    example.emulate_media(color_scheme=scheme)
    note, tick = (
        example.locator(selector).first.evaluate(f"e => getComputedStyle(e).{style}")
        for selector, style in ((".note", "color"), (".xtick text", "fill"))
    )
    assert tick == note == {"light": "rgb(89, 98, 115)", "dark": "rgb(155, 166, 183)"}[scheme]


def test_phone_shows_the_page_without_scrolling_sideways(example: Page) -> None:
    example.set_viewport_size({"width": 390, "height": 844})
    width = example.evaluate("document.documentElement.scrollWidth")
    example.set_viewport_size({"width": 1280, "height": 900})
    assert width == 390


def test_charts_shrink_to_the_paper(example: Page) -> None:
    example.evaluate("dispatchEvent(new Event('beforeprint'))")
    example.wait_for_function("document.querySelector('svg.main-svg').clientWidth === 660")


def test_names_are_shown_as_text_and_never_as_markup(opener: Opener) -> None:
    page = opener(
        [
            trial(HOSTILE, 0.9, dataset=HOSTILE, split=HOSTILE, config={"kernel": HOSTILE}),
            trial("b", 0.8, dataset=HOSTILE, config={"kernel": "rbf"}),
            failed("c", HOSTILE, dataset=HOSTILE, host=HOSTILE, space=HOSTILE),
        ]
    )
    assert page.locator("img").count() == 0
    assert page.locator("h2").first.inner_text() == HOSTILE
    assert HOSTILE in page.locator(".failure summary").inner_text()
    assert HOSTILE in (page.locator(".legendtext").first.text_content() or "")


def test_a_store_of_one_trial_makes_a_page(opener: Opener) -> None:
    page = opener([resnet("only", 0.8, 0.9)])
    assert "The only trial with a result" in page.locator(".winner").inner_text()
    assert page.locator("figure svg.main-svg").count() > 0


def test_a_store_of_failures_only_makes_a_page(opener: Opener) -> None:
    page = opener([failed("a", "lost"), failed("b", "lost", wall_time_s=None)])
    assert "No trial on digits has a result: 2 failed." in page.locator("main").inner_text()
    assert page.locator(".winner").count() == 0
