"""README and guide: every command runs, every block of code works, every link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from tests.docs.layouts import write_layouts
from tests.store.far.server import s3_server
from tune_mnist.cli import run
from tune_mnist.spaces import read_space

ROOT = Path(__file__).parents[2]
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *GUIDE]
ALL_PAGES = [*PAGES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^ +python -m tune_mnist (.*)$", flags=re.MULTILINE)
FILE = re.compile(r"`([\w./-]+\.(?:py|yaml|toml|txt|md|csv|sh))`")
THE_READERS_OWN = (
    *("my_space.yaml", "request.json", "leaderboard.html", "report.html"),
    *("train.csv", "test.csv", "sign_mnist_train.csv"),
    *("metadata.csv", "predict.py", "requirements.txt"),
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


def commands() -> list[str]:
    """Every command of README and guide, each once, the quick ones first.

    Those that need a cluster run on one in tests/cluster, and a service runs in tests/serve.
    """
    found = [command for page in PAGES for command in COMMAND.findall(page.read_text("utf-8"))]
    found = [one for one in found if "--address" not in one and not one.startswith("serve")]
    return sorted(dict.fromkeys(found), key=lambda command: command.startswith("confirm"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of: a store with a finished search, a space, images."""
    folder = tmp_path_factory.mktemp("reader")
    line = [sys.executable, "-m", "tune_mnist", "search", "svm", "--dataset", "digits"]
    subprocess.run([*line, "--trials", "4", "--name", "SEARCH"], cwd=folder, check=True)
    (folder / "my_space.yaml").write_text(blocks(ROOT / "docs/guide/spaces.md", "yaml")[0])
    for file in (ROOT / "docs" / "guide" / "models").iterdir():
        shutil.copy(file, folder)
    (folder / "request.json").write_text(blocks(ROOT / "docs/guide/searching.md", "json")[0])
    shutil.copytree(ROOT / "results" / "reference", folder / "results" / "reference")
    write_layouts(folder / "examples")
    return folder


@pytest.fixture(scope="module")
def endpoint(folder: Path) -> Iterator[str]:
    """An S3 server that has a copy of the store."""
    with s3_server() as endpoint:
        there = S3Store(
            "bucket",
            prefix="prefix",
            endpoint=endpoint,
            access_key_id="test",
            secret_access_key="test",
            client_options={"allow_http": True},
        )
        for file in (folder / "results").glob("[!.r]*/**/*"):
            if file.is_file():
                obstore.put(there, file.relative_to(folder / "results").as_posix(), file)
        yield endpoint


@pytest.fixture(autouse=True)
def there(folder: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def words_of(command: str) -> list[str]:
    """A command in its quick form: searches dry, on the digits, without the GPU that CI lacks."""
    words = shlex.split(command.replace("--gpus 1", "").replace("./my_images", "digits"))
    kind = words[0]
    if kind == "search":
        return [*words, "--dataset", "digits", "--dry-run"]
    if words[:2] == ["report", "run"]:
        return [*words, "--dry-run"]
    fewer = {"resume": {"40": "5"}, "confirm": {"5": "2"}, "leaderboard": {"mnist": "digits"}}
    return [fewer.get(kind, {}).get(word, word) for word in words]


@pytest.mark.parametrize("command", commands())
def test_every_command_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words_of(command)) == 0, capsys.readouterr().err


def shown_outputs() -> list[str]:
    """Each command of the guide on data with the output that stands below it."""
    text = (ROOT / "docs" / "guide" / "data.md").read_text("utf-8")
    shown = re.findall(r"^    python -m tune_mnist (data examples/.*\n(?:    .*\n)+)", text, re.M)
    assert len(shown) == 6
    return shown


@pytest.mark.parametrize("shown", shown_outputs(), ids=lambda shown: shown.split()[1])
def test_a_data_set_looks_as_the_guide_shows_it(
    shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *expected = shown.splitlines()
    assert run(command.split()) == 0
    said = capsys.readouterr()
    lines = [line.rstrip() for line in (said.out + said.err).splitlines() if line.strip()]
    # The hash of a data set is that of its PNG files, which another zlib packs in other ways.
    hashes = re.compile("data [0-9a-f]{12}")
    assert [hashes.sub("", line) for line in lines] == [
        hashes.sub("", line.removeprefix("    ")) for line in expected
    ]


def test_no_command_stands_where_the_test_above_does_not_see_it() -> None:
    """A command is an indented line; one in a fenced block or at a line's start would not run."""
    for page in PAGES:
        lines = page.read_text("utf-8").splitlines()
        seen = [line for line in lines if "python -m tune_mnist " in line and "`" not in line]
        assert [line for line in seen if not COMMAND.match(line)] == [], page


def test_the_readme_fits_two_screens() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120


def test_the_example_space_is_valid() -> None:
    assert read_space(Path("my_space.yaml")).search.trials == 40


@pytest.mark.parametrize(
    ("language", "file"), [("python", "small_cnn.py"), ("yaml", "small_cnn.yaml")]
)
def test_the_guide_shows_the_network_as_it_is(language: str, file: str) -> None:
    shown = blocks(ROOT / "docs" / "guide" / "models.md", language)[0]
    assert shown == (ROOT / "docs" / "guide" / "models" / file).read_text("utf-8")


def shown_spaces() -> list[str]:
    """The space files that the guide shows."""
    found = [text for page in GUIDE for text in blocks(page, "yaml") if text.startswith("model:")]
    assert len(found) >= 3
    return found


@pytest.mark.parametrize("text", shown_spaces(), ids=lambda text: text.splitlines()[0])
def test_every_space_in_the_guide_can_be_searched(text: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(text)
    assert read_space(tmp_path / "shown.yaml").parameters


def test_the_example_request_is_json() -> None:
    assert json.loads(Path("request.json").read_text())["space"] == "svm"


@pytest.mark.parametrize(
    "code", [code for page in PAGES for code in blocks(page, "python")], ids=lambda code: code[:30]
)
def test_every_block_of_python_runs(code: str) -> None:
    names: dict[str, object] = {}
    exec(code, names)
    assert len(names) > 1


def test_the_example_script_runs(tmp_path: Path) -> None:
    script = ROOT / "docs" / "guide" / "example.py"
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "20 completed" in done.stdout
    assert (tmp_path / "tradeoff.html").exists()


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        target
        for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
        for target in re.findall(r"^    make (\w+)", page.read_text("utf-8"), flags=re.MULTILINE)
    }
    assert {"search", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = set(FILE.findall(page.read_text("utf-8"))) - set(THE_READERS_OWN)
    places = (ROOT, ROOT / "tune_mnist", page.parent)
    assert [name for name in named if not any((at / name).exists() for at in places)] == []


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), flags=re.MULTILINE)
            assert fragment in map(anchor, headings), target
