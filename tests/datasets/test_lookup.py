"""Where a named data set is found: places on disk, the download, and the error if all fail."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.datasets.written import write_idx
from tune_mnist.datasets import LoadOptions, load_dataset, lookup
from tune_mnist.datasets.idx import FILES, read_idx_folder
from tune_mnist.datasets.lookup import NAMED, find_named
from tune_mnist.errors import InputError


@pytest.fixture
def small_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the small data sets that the tests write for the published ones."""
    monkeypatch.setattr("tune_mnist.datasets.load.differing_files", lambda name, data: [])


def downloads() -> Path:
    return Path(os.environ["XDG_CACHE_HOME"], "tune_mnist/downloads/MNIST")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A mirror on 127.0.0.1 from which torchvision downloads a small "MNIST"."""
    import torchvision.datasets

    files = write_idx(tmp_path / "mirror")
    handler = partial(QuietHandler, directory=str(files))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{mirror.server_port}/"
        names = [f"{name}.gz" for name in FILES]
        sums = [(n, hashlib.md5((files / n).read_bytes()).hexdigest()) for n in names]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)
        yield mirror
        mirror.shutdown()


@pytest.mark.usefixtures("small_copies")
@pytest.mark.parametrize("place", ["mnist", ".", "MNIST/raw"])
@pytest.mark.parametrize("variable", [True, False])
def test_named_folder_is_searched_in_every_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, variable: bool
) -> None:
    write_idx(tmp_path / "data" / place)
    if variable:
        monkeypatch.setenv("TUNE_MNIST_DATA", str(tmp_path / "data"))
    data = load_dataset(
        "mnist", LoadOptions(None if variable else tmp_path / "data", download=False)
    )
    assert (data.name, len(data.train)) == ("mnist", 140)
    assert not any("read from" in note for note in data.notes)


@pytest.mark.usefixtures("small_copies")
def test_torchvisions_usual_folder_is_searched() -> None:
    write_idx(Path("data/FashionMNIST/raw"))
    assert load_dataset("fashion-mnist", LoadOptions(download=False)).classes[9] == "Ankle boot"


def test_debians_folder_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NAMED["fashion-mnist"].usual == (Path("/usr/share/datasets/fashion-mnist"),)
    installed = write_idx(tmp_path / "usr")
    moved = replace(NAMED["fashion-mnist"], usual=(installed,))
    monkeypatch.setitem(lookup.NAMED, "fashion-mnist", moved)
    assert find_named("fashion-mnist", download=False) == (installed, ())


def test_data_dir_comes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "variable"):
        write_idx(tmp_path / name)
    monkeypatch.setenv("TUNE_MNIST_DATA", str(tmp_path / "variable"))
    assert find_named("mnist", tmp_path / "given")[0] == tmp_path / "given"


@pytest.mark.usefixtures("small_copies")
def test_data_found_outside_data_dir_is_noted(tmp_path: Path) -> None:
    write_idx(Path("data/MNIST/raw"))
    data = load_dataset("mnist", LoadOptions(tmp_path, download=False))
    assert data.notes[0] == f"mnist is not in {tmp_path}: read from data/MNIST/raw"


@pytest.mark.usefixtures("small_copies")
def test_data_dir_with_both_data_sets_does_not_mix_them(tmp_path: Path) -> None:
    for seed, name in ((1, "mnist"), (2, "fashion-mnist")):
        write_idx(tmp_path / name, seed=seed)
        alone = read_idx_folder(tmp_path / name).train.images
        data = load_dataset(name, LoadOptions(tmp_path, download=False))
        assert set(map(bytes, data.train.images)) <= set(map(bytes, alone))


def test_mnist_under_the_name_of_fashion_mnist_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="holds mnist, not fashion-mnist; use `dataset=mnist`"):
        load_dataset("fashion-mnist", LoadOptions(real_data / "mnist"))


@pytest.mark.parametrize("name", FILES)
def test_a_stranger_under_the_name_of_mnist_is_refused(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    """One changed byte in one of the four files is enough."""
    for file in FILES:
        (tmp_path / f"{file}.gz").symlink_to(real_data / "mnist" / f"{file}.gz")
    contents = bytearray(gzip.decompress((real_data / "mnist" / f"{name}.gz").read_bytes()))
    contents[-1] ^= 1
    (tmp_path / f"{name}.gz").unlink()
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(
        InputError, match=f"is not mnist: {name} differ from the published"
    ) as caught:
        load_dataset("mnist", LoadOptions(tmp_path, download=False))
    assert f"`dataset={tmp_path}`" in str(caught.value)


def test_mnist_in_a_folder_of_your_own_is_split_as_mnist(real_data: Path) -> None:
    named = load_dataset("mnist", LoadOptions(real_data, download=False))
    own = load_dataset(str(real_data / "mnist"))
    assert (own.split, own.content_hash) == (named.split, named.content_hash)


def test_a_home_folder_may_be_written_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx(tmp_path / "data" / "mnist")
    assert find_named("mnist", Path("~/data"), download=False) == (tmp_path / "data/mnist", ())
    monkeypatch.setenv("TUNE_MNIST_DATA", "~/data")
    assert find_named("mnist", download=False)[0] == tmp_path / "data/mnist"
    monkeypatch.setenv("TUNE_MNIST_DATA", "~nobody-of-this-name/data")
    with pytest.raises(InputError, match=r"TUNE_MNIST_DATA: ~nobody.* is not a folder"):
        find_named("mnist", download=False)


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "~nobody-of-this-name/x"])
def test_a_user_that_does_not_exist_is_no_data_set(name: str) -> None:
    with pytest.raises(InputError, match="is neither a known name nor a folder"):
        load_dataset(name)


def test_a_folder_that_a_known_name_hides_is_said(tmp_path: Path) -> None:
    assert load_dataset("digits").notes[0].startswith("no test images")
    Path("digits").mkdir()
    said = "digits is the known data set; the folder digits/ here is read as ./digits"
    assert said in load_dataset("digits").notes


def test_incomplete_data_set_is_refused_not_fetched_again(tmp_path: Path) -> None:
    (write_idx(tmp_path / "mnist") / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="mnist: has neither t10k-labels-idx1-ubyte nor"):
        load_dataset("mnist", LoadOptions(tmp_path))


def test_data_dir_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`data_dir`: .*/slip is not a folder"):
        load_dataset("mnist", LoadOptions(tmp_path / "slip"))


def test_variable_that_names_no_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_MNIST_DATA", "/no/such/folder")
    with pytest.raises(InputError, match="TUNE_MNIST_DATA: /no/such/folder is not a folder"):
        load_dataset("mnist")


def test_missing_data_set_names_every_place_and_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "variable"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TUNE_MNIST_DATA", str(tmp_path / "variable"))
    with pytest.raises(InputError) as caught:
        load_dataset("mnist", LoadOptions(tmp_path / "given", download=False))
    places = [
        tmp_path / root / end for root in ("given", "variable") for end in ("mnist", "MNIST/raw")
    ]
    places += [Path("data/MNIST/raw"), downloads() / "raw"]
    message = str(caught.value)
    assert [place for place in places if str(place) not in message] == []
    assert f"{FILES[3]}.gz into {tmp_path / 'given/mnist'}, or use `dataset=digits`" in message
    assert "\n" not in message


@pytest.mark.usefixtures("small_copies")
def test_download_is_kept_for_the_next_time(
    server: ThreadingHTTPServer, capfd: pytest.CaptureFixture[str]
) -> None:
    fetched = load_dataset("mnist")
    server.shutdown()
    assert load_dataset("mnist", LoadOptions(download=False)).content_hash == fetched.content_hash
    output = capfd.readouterr()
    assert output.out == ""  # stdout is for results
    assert "100%" in output.err  # torchvision's progress bar


def test_download_cut_short_leaves_nothing_and_is_one_line(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    truncated = tmp_path / "mirror" / f"{FILES[3]}.gz"
    truncated.write_bytes(truncated.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"the download failed \(Error downloading t10k-labels"):
        load_dataset("mnist")
    assert list(downloads().iterdir()) == []


def test_no_network_is_one_line(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"the download failed .*Connection refused") as caught:
        load_dataset("mnist")
    assert "\n" not in str(caught.value)


def test_no_place_for_the_download_is_one_line(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"the download failed .*Not a directory"):
        load_dataset("mnist")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("mnits", "did you mean mnist?"),
        ("FashionMNIST", "did you mean fashion-mnist?"),
        ("digit", "did you mean digits?"),
        ("./nowhere", "known: mnist, fashion-mnist, digits"),
        ("", "known: mnist"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_unknown_data_set_gets_the_nearest_name(name: str, advice: str) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(name)
    assert advice in str(caught.value)


def test_a_known_name_never_means_a_folder(tmp_path: Path) -> None:
    write_idx(Path("mnist"))
    with pytest.raises(InputError, match="dataset mnist: not in"):
        load_dataset("mnist", LoadOptions(download=False))
    assert load_dataset("./mnist").name == "mnist"


def test_folder_of_several_data_sets_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist")
    write_idx(tmp_path / "fashion-mnist")
    with pytest.raises(
        InputError, match=r"holds several data sets: fashion-mnist/train-im.*, mnist/train-im"
    ):
        load_dataset(str(tmp_path))


def test_a_raw_file_is_preferred_to_its_gzip_as_torchvision_leaves_both(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "MNIST/raw", packed=False)
    (folder / f"{FILES[0]}.gz").write_bytes(gzip.compress(b"rubbish"))
    assert len(load_dataset(str(tmp_path)).train) == 180
