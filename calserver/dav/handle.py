"""From a request to its response: find the resource, its method, check what must hold, call it, say what went wrong."""

from http import HTTPStatus
from typing import Any

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import conceal
from calserver.dav.conditional import not_modified, validators
from calserver.dav.errors import (
    MethodNotAllowed,
    NeedPrivileges,
    NotFound,
    NotImplementedHere,
    PreconditionFailed,
    Refusal,
    Unauthorized,
)
from calserver.dav.extension import Extensions, MethodDeclaration
from calserver.dav.locks import check_if
from calserver.dav.message import Request, Response, RolledBack
from calserver.dav.multistatus import condition
from calserver.dav.resource import Resource, Tree, View
from calserver.dav.rfc7240 import current, preferences
from calserver.dav.settings import Settings
from calserver.names import D


def handle(
    spoken: Extensions, tree: Tree, txn: Any, request: Request, settings: Settings, *, hurried: bool = False
) -> Response:
    """Answer a request inside a transaction: a writing one where `Extensions.writes` says so.

    Raises:
        TakesLong: in a hurry; only for what reads.
        RolledBack: a request that may have written was refused; its ``response`` is the answer once the transaction is
            undone. (A request that only reads gets its refusal as an ordinary response.)
    """
    view = View(txn, request, tree, spoken, settings, hurried)
    try:
        response = answer(view)
    except (Refusal, ConditionFailed) as refusal:
        response = refuse(view, refusal)
    if response.status >= HTTPStatus.BAD_REQUEST and not response.keeps and spoken.writes(request):
        raise RolledBack(response)
    return response


def answer(view: View) -> Response:
    """Answer the request of a view, or raise why not."""
    request = view.request
    if request.method not in view.spoken.known_methods:
        raise NotImplementedHere("the method is not known here")
    if request.actor.href is None and not (request.method in LOOKING and view.settings.anonymous):
        raise Unauthorized("authenticate first")
    resource = view.find(request.href)
    declared = _allowed(view, resource)
    check_if(resource)
    if (declared.writes or request.method in ("GET", "HEAD")) and not_modified(request, resource):
        return Response(HTTPStatus.NOT_MODIFIED, validators(resource))
    declared.guard(resource)
    return declared.handle(request, resource)


def _allowed(view: View, resource: Resource) -> MethodDeclaration:
    """The method of a resource, if the actor may use it."""
    try:
        declared = _method(view, resource)
        if declared.allow is not None:
            declared.allow(resource)
    except (NeedPrivileges, MethodNotAllowed):
        conceal(resource)
        raise
    return declared


def _method(view: View, resource: Resource) -> MethodDeclaration:
    declared = view.spoken.methods(type(resource)).get(view.request.method)
    if declared is not None and declared.name not in resource.without:
        return declared
    if not resource.exists:
        raise NotFound("there is nothing at this path")
    raise MethodNotAllowed("the resource does not have this method")


LOOKING = frozenset({"GET", "HEAD"})
"""What one may ask for who has not authenticated: to look at one thing whose path one knows."""

TELLING = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT)
"""Statuses that would tell nobody in particular what exists."""


def refuse(view: View, refusal: Refusal | ConditionFailed) -> Response:
    """Say why a request was refused.

    Nobody in particular is asked to authenticate where that could help (RFC 9110 section 15.5.2): then what exists and
    what does not cannot be told apart.
    """
    request = view.request
    if request.actor.href is None and refusal.status in TELLING:
        return _plain(HTTPStatus.UNAUTHORIZED, "authenticate first")
    if isinstance(refusal, ConditionFailed):
        content = [condition(refusal)]
        if refusal.reason:
            content.append(xml.element(D("responsedescription"), refusal.reason))
        return Response(refusal.status, (xml.CONTENT_TYPE,), xml.error(*content))
    response = _plain(refusal.status, refusal.reason).with_headers(*refusal.headers.items())
    if isinstance(refusal, MethodNotAllowed) and "Allow" not in refusal.headers:
        return response.with_headers(("Allow", ", ".join(view.spoken.allow(view.find(request.href)))))
    if isinstance(refusal, PreconditionFailed) and request.parsed(preferences).representation:
        return current(view.find(request.href), response)
    return response


def _plain(status: HTTPStatus, reason: str) -> Response:
    return Response(
        status, (("Content-Type", "text/plain; charset=utf-8"),), (reason or status.phrase).encode() + b"\n"
    )
