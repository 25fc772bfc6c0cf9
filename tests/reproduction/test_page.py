"""The technical report's page in a real browser, with cells compared to the Parquet files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from tests.reproduction.example_runs import stored_trial, write_report_store
from tune_mnist.reproduction.page import write_report
from tune_mnist.reproduction.published import published_folder
from tune_mnist.reproduction.runs import grid, records

_DRAWN = """() => [...document.querySelectorAll(".view:not([hidden]) .plot")]
    .every((plot) => plot.querySelector("svg.main-svg"))"""

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss occurred")  # made-up equal times

Opener = Callable[[Path], Page]


@pytest.fixture(scope="module")
def opener(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Open the page of a store; no page may request anything or write to the console."""
    complaints: list[str] = []

    def open_page(root: Path) -> Page:
        out = tmp_path_factory.mktemp("page") / "report.html"
        write_report(root, out, "python -m tune_mnist report run --part {}".format)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(out.as_uri())
        page.wait_for_function(_DRAWN)
        complaints.remove(out.as_uri())  # the page itself is the only request
        return page

    yield open_page
    assert complaints == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every SVM, two thirds of the ResNets, and one ResNet on a part of the images."""
    trials = [
        stored_trial(i, row)
        for i, row in enumerate(records(grid()))
        if row["part"] == "svm" or i % 3
    ]
    row = records(grid().query("part == 'resnet'"))[0]
    trials.append(stored_trial(900, row, extra={"train_fraction": 0.05}))
    return write_report_store(tmp_path_factory.mktemp("store"), trials)


@pytest.fixture(scope="module")
def example(opener: Opener, store: Path) -> Page:
    return opener(store)


def cells(page: Page, title: str, *words: str) -> list[str]:
    """Return the cells of the row of a table that has all these words."""
    table = page.locator(".card", has=page.get_by_role("heading", name=title, exact=True))
    rows = table.locator("tbody tr")
    for word in words:
        rows = rows.filter(has_text=word)
    return rows.first.locator("td").all_text_contents()


def test_three_cells_are_those_of_the_parquet_files(example: Page, store: Path) -> None:
    trials = pd.read_parquet(store / "trials")
    svm = trials[(trials["config.C"] == 10) & (trials["config.gamma"] == "scale")]
    svm = svm[(svm["dataset"] == "fashion-mnist") & (svm["config.kernel"] == "rbf")]
    accuracy = 100 * svm["test_accuracy"].item()
    row = cells(example, "Table 2: best SVMs", "FashionMNIST")
    assert row[6] == f"{accuracy:.2f}"
    assert row[7] == f"{accuracy - 89.27:+.2f}"

    best = trials[(trials["dataset"] == "mnist") & (trials["config.kernel"] == "poly")]
    chosen = best.sort_values("val_accuracy").iloc[-1]["test_accuracy"]
    row = cells(example, "Table 5: best of each method", "SVM poly")
    assert row[5] == f"{100 * chosen:.2f}"


def test_a_run_on_a_part_of_the_images_never_fills_the_cell_of_all_images(example: Page) -> None:
    example.get_by_text("All ResNet configurations").click()
    row = cells(example, "All ResNet configurations of the grid", "MNIST", "lr 0.001, 2 epochs")
    assert "missing" in row
    assert any(cell.endswith("at 5 %") for cell in row)


def test_missing_cells_name_the_command_that_fills_them(example: Page) -> None:
    table = example.locator(".card", has=example.get_by_role("heading", name="Table 3"))
    assert "python -m tune_mnist report run --part devices" in table.inner_text()
    assert "missing" in table.inner_text()


def test_complete_tables_name_no_command(example: Page) -> None:
    table = example.locator(".card", has=example.get_by_role("heading", name="Table 2"))
    assert "report run" not in table.inner_text()


def test_the_defective_table_is_shown_as_printed_and_as_meant(example: Page) -> None:
    row = cells(example, "Table 2: best SVMs", "MNIST")
    assert row[1:3] == ["Poly | 1.0 | 0.01 | 3 | 100.0", "poly C=1 gamma=0.01 degree=3"]


def test_a_published_best_that_is_not_the_best_is_named(example: Page) -> None:
    table = example.locator(".card", has=example.get_by_role("heading", name="Table 5"))
    assert (
        "SVM poly on FashionMNIST: in our grid, the published 88.65% is the" in table.inner_text()
    )


def test_every_claim_has_verdicts_with_numbers(example: Page) -> None:
    claims = example.locator(".claim").all()
    assert len(claims) == 19
    assert all(claim.locator(".verdict").count() >= 2 for claim in claims)
    assert all(text.strip() for text in example.locator(".claim dd").all_inner_texts())
    rates = example.locator(".claim .rates").all_inner_texts()
    assert len(rates) == 19
    for told in rates:
        assert "where it is true" in told
        assert "where it is false" in told


def test_every_figure_is_drawn(example: Page) -> None:
    titles = example.locator("figure h3").all_inner_texts()
    for wanted in (
        "Figure 1: published",
        "Figure 1: ours",
        "Figure 2: kernels",
        "Confusion on MNIST",
    ):
        assert wanted in titles
    figures = example.locator("figure").all()
    assert all(figure.locator(".view:visible svg.main-svg").count() for figure in figures)


def test_phone_shows_the_page_without_scrolling_sideways(example: Page) -> None:
    example.set_viewport_size({"width": 390, "height": 844})
    width = example.evaluate("document.documentElement.scrollWidth")
    example.set_viewport_size({"width": 1280, "height": 900})
    assert width == 390


def test_a_store_without_a_run_of_the_technical_report_makes_a_page(
    opener: Opener, tmp_path: Path
) -> None:
    other = stored_trial(0, {**records(grid().query("part == 'svm'"))[0], "dataset": "digits"})
    page = opener(write_report_store(tmp_path, [other]))
    header = page.locator("header").inner_text()
    assert "None of the technical report's configurations ran yet" in header
    assert page.locator("td.missing").count() > 0


REFERENCE = published_folder().parent


def test_the_tracked_store_makes_a_page_of_its_own_figures(opener: Opener) -> None:
    """Our SVMs equal the published ones; the page shows what the Parquet files hold."""
    page = opener(REFERENCE)
    trials = pd.read_parquet(
        REFERENCE / "trials", columns=["config", "dataset", "split", "test_accuracy"]
    )
    trials = trials[trials["split"].str.endswith("test standard")]
    poly = json.dumps({"C": 1.0, "degree": 3, "gamma": 0.01, "kernel": "poly"}, sort_keys=True)
    mine = trials[(trials["config"] == poly) & (trials["dataset"] == "mnist")]["test_accuracy"]
    row = cells(page, "Table 2: best SVMs", "MNIST")
    assert row[5:8] == ["97.39", f"{100 * mine.item():.2f}", "+0.00"]
    assert cells(page, "Table 2: best SVMs", "FashionMNIST")[7] == "+0.00"
    assert cells(page, "Table 5: best of each method", "SVM rbf", "MNIST")[4] == "+0.00"
