from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.example_store import epochs, failed, trial, write_store
from tune_mnist.errors import InputError
from tune_mnist.pages.leaderboard import write_leaderboard
from tune_mnist.store.selection import EVERYTHING, Selection


def page(root: Path, selection: Selection = EVERYTHING, **shown: Any) -> str:
    """Write the page of a store, and return it without its scripts and styles."""
    out = root / "page.html"
    write_leaderboard(root, out, selection, **shown)
    return re.sub(r"<(script|style).*?</\1>", "", out.read_text("utf-8"), flags=re.DOTALL)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_validation_accuracy_chooses_the_winner_and_the_page_says_so(tmp_path: Path) -> None:
    rows = [trial("a", 0.7, test_accuracy=0.99), trial("b", 0.8, config={"kernel": "poly"})]
    text = words(page(write_store(tmp_path, rows)))
    assert "Winner on digits svm poly" in text
    assert "Chosen by validation accuracy among 2 trials" in text
    assert "Test accuracy was never used to choose" in text


def test_a_winner_that_predicts_slowly_is_shown_as_such(tmp_path: Path) -> None:
    quick = trial("b", 0.980, config={"kernel": "linear"}, latency_batch_1_s=0.0001)
    rows = [trial("a", 0.981, latency_batch_1_s=0.04), quick]
    text = words(page(write_store(tmp_path, rows), within=0.002))
    assert text.count("to predict an image 40.0 ms") == 2  # of the winner, and of the cheapest
    assert "latency batch 1" in text
    assert "than the first and predicts an image 400 times as fast." in text


def test_each_data_set_has_its_own_winner_and_ranking(tmp_path: Path) -> None:
    rows = [trial("a", 0.7), trial("b", 0.9, dataset="mnist")]
    html = page(write_store(tmp_path, rows))
    assert re.findall(r"<h2[^>]*>(\w+)</h2>", html)[:2] == ["digits", "mnist"]
    assert html.count('<tr class="first">') == 2


def test_trials_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    rows = [trial("a"), trial("b", status="stopped"), failed("c", "lost"), failed("d", "lost")]
    text = words(page(write_store(tmp_path, rows)))
    assert "Trials 4 Completed 1 Stopped early 1 Failed 2" in text


def test_failures_are_listed_by_error(tmp_path: Path) -> None:
    rows = [trial("a"), *(failed(f"{i}", "MemoryError: no room") for i in range(7))]
    text = words(page(write_store(tmp_path, rows)))
    assert "7× MemoryError: no room first, trial 0: svm rbf C=10 gamma=scale on digits" in text
    assert "and 2 more" in text


def test_traceback_is_headed_by_its_last_line(tmp_path: Path) -> None:
    error = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: odd'
    assert "<b>1×</b> ValueError: odd" in page(write_store(tmp_path, [failed("a", error)]))


def test_provenance_names_seed_split_data_versions_and_commit(tmp_path: Path) -> None:
    text = words(page(write_store(tmp_path, [trial("a", seed=7)])))
    assert "Seeds 7" in text
    assert f"digits {trial('a')['data_hash'][:12]} (holdout)" in text
    assert "python 3.11.2" in text
    assert "commit e87024f00000" in text


def test_top_limits_the_ranking_and_the_page_says_of_how_many(tmp_path: Path) -> None:
    html = page(write_store(tmp_path, [trial(f"{i}") for i in range(5)]), top=2)
    assert html.count("<tr") == 3
    assert "2 of 5 trials with a result" in html


def test_page_of_one_search_leaves_out_the_others(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("a", 0.9, config={"kernel": "poly"})], "one")
    write_store(tmp_path, [trial("a", 0.8)], "two")
    assert "svm rbf" in page(tmp_path, Selection("two"))
    assert "svm poly" not in page(tmp_path, Selection("two"))


def test_charts_that_leave_trials_out_say_so(tmp_path: Path) -> None:
    rows = [trial(f"{i}", 0.9, config={"C": float(i)}) for i in range(301)]
    assert "300 of 301 trials are drawn" in page(write_store(tmp_path, rows))


def test_same_store_gives_the_same_page(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("a", reports=epochs(0.5, 0.9)), failed("b", "lost")])
    assert page(tmp_path) == page(tmp_path)


def test_page_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    html = page(write_store(tmp_path, [trial("a")]))
    links = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)""", html)
    assert all(link.startswith(("#", "data:")) for link in links)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(dataset="digit"), "digits"),
        (Selection(search="frist"), "first"),
        (Selection(model="resnet"), "resnet"),
    ],
)
def test_selection_without_trials_is_refused(
    tmp_path: Path, selection: Selection, words: str
) -> None:
    write_store(tmp_path, [trial("a")])
    with pytest.raises(InputError, match=words):
        write_leaderboard(tmp_path, tmp_path / "page.html", selection)
    assert not (tmp_path / "page.html").exists()


def test_a_ranking_of_no_rows_is_refused(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("a")])
    with pytest.raises(InputError, match="`top`: 0 rows"):
        write_leaderboard(tmp_path, tmp_path / "page.html", top=0)
    assert not (tmp_path / "page.html").exists()


def test_search_without_trials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished trial"):
        write_leaderboard(write_store(tmp_path, []), tmp_path / "page.html")


@pytest.mark.parametrize("name", ["missing/page.html", "store", "file/page.html"])
def test_page_that_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str
) -> None:
    store = write_store(tmp_path / "store", [trial("a")])
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / name))):
        write_leaderboard(store, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store"]


def test_two_data_sets_of_one_name_have_a_section_each(tmp_path: Path) -> None:
    """Each has its own winner; the short hash stands where the name alone would not tell."""
    rows = [
        trial("a", 0.99, dataset="images", data_hash="3f9a1c" + "0" * 58),
        trial("b", 0.60, dataset="images", data_hash="77bb2e" + "0" * 58),
        trial("c", 0.80, dataset="mnist"),
    ]
    html = page(write_store(tmp_path, rows))
    assert "Winner on images (3f9a1c)" in html
    assert "Winner on images (77bb2e)" in html
    assert "Winner on mnist<" in html
