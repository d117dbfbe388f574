"""The application: paths, and what each answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from pydantic_core import to_json

from features.errors import OutputError
from pipeline.prediction.explain import NEAREST
from pipeline.serving.body import JSON, Receive, Scope, read_body
from pipeline.serving.corrections import append_correction
from pipeline.serving.gate import Asgi, Gate
from pipeline.serving.metrics import CONTENT_TYPE
from pipeline.serving.model import TextAnswer
from pipeline.serving.requests import (
    Correction,
    ExplainRequest,
    PredictRequest,
    RefusedError,
    check_texts,
    parse,
)
from pipeline.serving.service import Service
from pipeline.templating import render

POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What a page may load: its own script and style, and nothing from elsewhere."""


class Routes:
    """The functions behind the paths.

    Args:
        service: answers.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def predict(self, request: Request) -> Response:
        """Label one text or several: label, probabilities, abstention, truncation."""
        return _json(await self.predicted(request.scope, request.receive))

    async def explain(self, request: Request) -> Response:
        """Label texts; give the training texts nearest to each, and the words that decided."""
        return _json(await self.explained(request.scope, request.receive))

    async def predicted(self, scope: Scope, receive: Receive) -> bytes:
        """Return the JSON that answers ``predict``. Raises ``RefusedError``."""
        body = parse(PredictRequest, await read_body(scope, receive, self.service.config))
        return _told(await self.service.answer(body.chosen()))

    async def explained(self, scope: Scope, receive: Receive) -> bytes:
        """Return the JSON that answers ``explain``. Raises ``RefusedError``."""
        body = parse(ExplainRequest, await read_body(scope, receive, self.service.config))
        return _told(await self.service.answer(body.chosen(), body.explain))

    async def correct(self, request: Request) -> Response:
        """Append the right label of a text to the file of corrections."""
        path = self.service.config.corrections
        if path is None:
            raise RefusedError(404, "this service takes no corrections")
        asked = await read_body(request.scope, request.receive, self.service.config)
        body = parse(Correction, asked)
        check_texts([body.text], self.service.config)
        if not body.label.strip():
            raise RefusedError(422, "label is empty; give the right one")
        name = self.service.model.name
        row = (path, body.text, body.label.strip(), body.predicted or "", name)
        try:
            await asyncio.to_thread(append_correction, *row)
        except OutputError as error:
            raise RefusedError(503, str(error)) from None
        self.service.metrics.count("corrections")
        return JSONResponse({"saved": True})

    async def reload(self) -> Response:
        """Change to a newer run, if RUN now stands for one; no request is dropped."""
        return JSONResponse(await self.service.reload())

    async def health(self) -> Response:
        """Say whether the process works."""
        alive = self.service.batcher.alive
        return JSONResponse({"status": "ok" if alive else "dead"}, 200 if alive else 503)

    async def ready(self) -> Response:
        """Say whether texts are taken, and which run answers."""
        ready = self.service.batcher.alive and not self.service.batcher.closing
        return JSONResponse(
            {"ready": ready, "run": self.service.model.name}, 200 if ready else 503
        )

    async def metrics(self) -> Response:
        """Return counts and times for Prometheus."""
        return PlainTextResponse(self.service.metrics.text(), media_type=CONTENT_TYPE)

    async def page(self) -> Response:
        """Return the page: a text in; label, probabilities and nearest training texts out."""
        model = self.service.model
        return _page(
            "serve.html",
            run=model.name,
            labels=model.predictor.opened.labels,
            explains=not (model.no_neighbors and model.no_words),
            words=not model.no_words,
            neighbors=0 if model.no_neighbors else NEAREST,
            corrects=self.service.config.corrections is not None,
            longest=self.service.config.max_chars,
            lines=model.predictor.provenance.lines(),
        )

    async def docs(self, request: Request) -> Response:
        """Return this list of paths."""
        paths = request.app.openapi()["paths"]
        rows = [
            (method.upper(), path, facts.get("description", ""))
            for path, methods in paths.items()
            for method, facts in methods.items()
        ]
        config = self.service.config
        return _page(
            "serve_docs.html", rows=rows, config=config, token=bool(self.service.token)
        )


def _json(body: bytes) -> Response:
    return Response(body, media_type=JSON)


def _told(answers: list[TextAnswer]) -> bytes:
    """Return answers as JSON."""
    return to_json({"predictions": [each.to_dict() for each in answers]})


def _page(template: str, **values: Any) -> Response:
    nonce = secrets.token_urlsafe(16)
    policy = {"content-security-policy": POLICY.format(nonce=nonce)}
    return HTMLResponse(render(template, nonce=nonce, **values), headers=policy)


def make_app(service: Service) -> Asgi:
    """Return the ASGI application of a service; its lifespan starts and drains the queue."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await asyncio.to_thread(service.batcher.close)

    app = FastAPI(
        title="manyheads serve",
        description="Labels texts with a trained run.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours does not
        redoc_url=None,
    )
    routes = Routes(service)
    add = partial(app.add_api_route, response_model=None)
    add("/predict", routes.predict, methods=["POST"], openapi_extra=_takes(PredictRequest))
    add("/explain", routes.explain, methods=["POST"], openapi_extra=_takes(ExplainRequest))
    add("/corrections", routes.correct, methods=["POST"], openapi_extra=_takes(Correction))
    add("/reload", routes.reload, methods=["POST"])
    add("/health", routes.health, methods=["GET"])
    add("/ready", routes.ready, methods=["GET"])
    add("/metrics", routes.metrics, methods=["GET"])
    add("/docs", routes.docs, methods=["GET"])
    add("/", routes.page, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(404, _unknown)
    app.add_exception_handler(405, _unknown)
    paths = frozenset({*app.openapi()["paths"], "/", "/openapi.json"})
    often = {("POST", "/predict"): routes.predicted, ("POST", "/explain"): routes.explained}
    return Gate(app, service, paths, often)


def _takes(kind: type[BaseModel]) -> dict[str, Any]:
    """Return what a path takes, for OpenAPI; bodies are read and checked here."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


async def _refused(request: Request, error: RefusedError) -> Response:
    return JSONResponse({"error": error.reason}, error.status, error.headers)


async def _unknown(request: Request, error: Any) -> Response:
    reason = {404: "there is no such path; see /docs", 405: "this path takes another method"}
    said = reason.get(error.status_code, str(error.detail))
    return JSONResponse({"error": said}, error.status_code, getattr(error, "headers", None))
