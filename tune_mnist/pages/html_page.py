"""What every page shares: its template engine, its content security policy, how it is written.

Jinja2 escapes whatever it is given unless told otherwise, so that search names, errors and class
names are text and never markup; torch installs it anyway. The page's content security policy lets
only its own two scripts run, each known by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tune_mnist.errors import input_error

_HERE = Path(__file__).parent


def fill(template: Path, *styles: Path, **values: Any) -> str:
    """Return a template filled with its values, Plotly, our script and style sheet.

    Args:
        template: an HTML file; it may extend and include those of this folder.
        styles: style sheets to add to the one that all pages have.
        values: what the template names.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    sheets = [sheet.read_text("utf-8") for sheet in (_HERE / "page.css", *styles)]
    return environment.get_template(template.name).render(
        **values,
        style=Markup("\n".join(sheets)),
        # A parser reads any line break as "\n", and the policy's hash is of what it reads.
        scripts=[
            Markup(get_plotlyjs().replace("\r\n", "\n")),
            Markup((_HERE / "page.js").read_text("utf-8")),
        ],
    )


def _csp_hash(script: str) -> str:
    """Return a script's source expression for the content security policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def write_page(out: Path, page: str) -> None:
    """Write the page aside, then move it into place.

    Raises: InputError: the file cannot be written.
    """
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        try:
            aside.write_text(page, "utf-8")
            aside.replace(out)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise input_error(
            out,
            f"cannot be written ({error.strerror})",
            "name a file in a folder that you can write",
        ) from error
