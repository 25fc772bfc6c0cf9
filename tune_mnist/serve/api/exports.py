"""The saved model of a trial, exported as a folder in a zip file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi import Path as PathParameter

from tune_mnist.actions.exporting.export import export
from tune_mnist.actions.requests import ExportRequest
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import Id, TheService
from tune_mnist.serve.problems import ProblemError
from tune_mnist.store.files.place import saved_models

router = APIRouter(prefix="/api/searches", tags=["models"], responses=ANSWERS)

ZIP = "application/zip"
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
}
Trial = Annotated[
    str,
    PathParameter(
        description="a trial with a saved model, or `winner`", pattern=r"^[A-Za-z0-9][\w.-]{0,99}$"
    ),
]


@router.get("/{search}/models/{trial}", response_class=Response, responses=_ZIP)
def get_model(
    search: Id,
    trial: Trial,
    service: TheService,
    form: Annotated[str | None, Query(alias="format", pattern="^(onnx|pt2)$")] = None,
) -> Response:
    """Return a model as `model export` writes it, checked against the search's predictions."""
    known = service.known(search)
    if known.record is None or not saved_models(service.root, search):
        raise ProblemError(404, f"{search} has saved no model")
    if trial != "winner" and trial not in saved_models(service.root, search):
        raise ProblemError(404, f"{search} has saved no model of the trial {trial}")
    with scratch_folder() as folder:
        request = ExportRequest(
            search=search,
            trial=None if trial == "winner" else trial,
            out=folder / f"{search}-{trial}",
            format=form,
            data_dir=service.offered.data_dir,
            results=service.offered.results,
            s3_endpoint=service.offered.s3_endpoint,
        )
        written = export(request).folder
        packed = shutil.make_archive(str(folder / "model"), "zip", folder, written.name)
        content = Path(packed).read_bytes()
    disposition = f'attachment; filename="{search}-{trial}.zip"'
    return Response(content, media_type=ZIP, headers={"Content-Disposition": disposition})
