"""`spaces`: list the search spaces that ship, show one, check one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_mnist.cli.terminal import say

spaces_app = typer.Typer(
    help="List the search spaces that ship; show one; check your own.", invoke_without_command=True
)


@spaces_app.callback()
def spaces(context: typer.Context) -> None:
    """List the search spaces that ship; show one; check your own."""
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from tune_mnist.cli.console import console
    from tune_mnist.spaces import read_space, shipped_spaces

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("space", "model", "data set", "configurations", "sampler"):
        table.add_column(heading)
    for name, path in shipped_spaces().items():
        space = read_space(path)
        count = _count(path)
        table.add_row(name, ", ".join(space.models), space.dataset, count, space.search.sampler)
    console().print(table)


@spaces_app.command()
def show(
    name: Annotated[str, typer.Argument(help="A space that ships, such as svm or report/resnet.")],
) -> None:
    """Print a space that ships, with its number of configurations."""
    from rich.syntax import Syntax

    from tune_mnist.cli.console import console
    from tune_mnist.spaces import find_space

    path = find_space(name)
    to = console(soft_wrap=True)
    text = path.read_text(encoding="utf-8")
    if to.is_terminal:
        to.print(Syntax(text, "yaml", theme="ansi_light", background_color="default"))
    else:
        say(text)
    _print_facts(path)


@spaces_app.command()
def check(file: Annotated[Path, typer.Argument(help="A space file of your own.")]) -> None:
    """Validate a space file, say what it would search, and try out a model of your own."""
    _print_facts(file)
    _try_out(file)
    say(f"{file}: ok")


def _try_out(file: Path) -> None:
    """Train one configuration of a model of your own on a few digits."""
    from tune_mnist.errors import InputError
    from tune_mnist.models.registry import find_model
    from tune_mnist.spaces import config_key, read_space
    from tune_mnist.wording import config_text, duration, percent

    own = [part for part in read_space(file).parts() if find_model(part.model).file]
    if not own:
        return
    from tune_mnist.actions.dry_run import IMAGES, dry_run

    for part in own:
        try:
            tried = dry_run(part)
        except InputError as error:
            raise error.located(file) from error
        config, accuracy = config_text(config_key(tried.config)), tried.measurement["val_accuracy"]
        say(f"# {part.model}: the code in {find_model(part.model).file}")
        say(
            f"# tried out on {IMAGES} digits: {config}: validation {percent(accuracy)},"
            f" {duration(tried.seconds)}"
        )


def _print_facts(path: Path) -> None:
    from tune_mnist.spaces import collapsed, read_space

    space = read_space(path)
    say(f"# {_count(path)} configurations")
    for device in ("cpu", "gpu"):
        for line in collapsed(space, device):
            say(f"# on {device}: {line}")


def _count(path: Path) -> str:
    """Return the number of configurations: "64", or "32 on CPU, 64 on GPU", or "infinite"."""
    from tune_mnist.spaces import read_space, size

    space = read_space(path)
    on_cpu, on_gpu = (size(space, "cpu"), size(space, "gpu"))
    if on_cpu == on_gpu:
        return "infinitely many" if on_cpu is None else f"{on_cpu:,}"
    return f"{on_cpu:,} on CPU, {on_gpu:,} on GPU"
