"""What all pages share: the template engine, the content security policy, the writing.

Jinja2 escapes every value, so search names, errors and class names are text and never markup, and
control characters are shown, not obeyed. The
content security policy lets only the page's own two scripts run; it names them by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tune_mnist.errors import input_error
from tune_mnist.wording import clean

_HERE = Path(__file__).parent


def fill(template: Path, *styles: Path, scripts: bool = True, **values: Any) -> str:
    """Return a page: the template with its values, Plotly, and our script and style sheets.

    Args:
        template: an HTML file; it may extend and include those in this folder.
        styles: style sheets to add to `page.css`.
        scripts: whether the page has charts or sortable tables, which need Plotly and our script.
        values: the variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    sheets = [sheet.read_text("utf-8") for sheet in (_HERE / "page.css", *styles)]
    return environment.get_template(template.name).render(
        **values,
        style=Markup("\n".join(sheets)),
        scripts=_scripts() if scripts else [],
    )


def tiles_of(facts: Iterable[tuple[str, str]]) -> list[dict[str, object]]:
    """Return names and values as the tiles below a page's title; none of them is an alarm."""
    return [{"name": name, "value": value, "alarm": False} for name, value in facts]


def _scripts() -> list[Markup]:
    # Browsers turn every line break into "\n" before they compute the hash.
    plotly = get_plotlyjs().replace("\r\n", "\n")
    return [Markup(plotly), Markup((_HERE / "page.js").read_text("utf-8"))]


def _cleaned(value: Any) -> Any:
    """Return a template's value without control characters; what is markup already is ours."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _csp_hash(script: str) -> str:
    """Return the hash that lets a script run under the content security policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def write_page(out: Path, page: str) -> None:
    """Write the page to a temporary file, then move it into place.

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
