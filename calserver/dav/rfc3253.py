"""Reports, and what a resource supports (RFC 3253 section 3)."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

import attrs
from lxml import etree

from calserver.conditions import ConditionFailed
from calserver.dav import xml
from calserver.dav.access import READ
from calserver.dav.allowance import NumberOfMatchesWithinLimits
from calserver.dav.errors import BadRequest, NeedPrivileges
from calserver.dav.extension import Extension, Extensions, ReportDeclaration
from calserver.dav.headers import Depth, depth, local
from calserver.dav.message import Request, Response
from calserver.dav.multistatus import Multistatus, status_response
from calserver.dav.properties import MOST_NAMES, Properties, Wanted
from calserver.dav.resource import Resource, View
from calserver.dav.xml import Element, Markup
from calserver.names import D


class SupportedReport(ConditionFailed):
    """The resource does not have this report (RFC 3253 section 3.6)."""

    name = D("supported-report")


rfc3253 = Extension("RFC 3253", conditions=(SupportedReport,))


# -- REPORT ----------------------------------------------------------------------------------------------------------


@rfc3253.method("REPORT", on=Resource, writes=False, parse=[depth])
def report(request: Request, resource: Resource) -> Response:
    """Pass the request to the report that its root element names (section 3.6)."""
    declared = _declared(request, resource)
    return declared.handle(request, resource, request.parsed(declared.parse))


def _declared(request: Request, resource: Resource) -> ReportDeclaration:
    root = xml.required_body(request)
    declared = resource.view.spoken.reports(type(resource)).get(root.tag)
    if declared is None:
        raise SupportedReport("the resource does not have this report")
    return declared


@rfc3253.property(D("supported-report-set"), on=Resource)
def supported_report_set(resource: Resource) -> Markup:
    """The reports of the resource (section 3.1.5)."""
    return resource.view.spoken.derived(type(resource), _report_set)


def _report_set(spoken: Extensions, kind: type[Resource]) -> Markup:
    return xml.join(
        [
            xml.element(D("supported-report"), xml.element(D("report"), xml.element(name)))
            for name in sorted(spoken.reports(kind))
        ]
    )


@rfc3253.property(D("supported-method-set"), on=Resource)
def supported_method_set(resource: Resource) -> Markup:
    """The methods of the resource (section 3.1.3)."""
    return xml.join([xml.element(D("supported-method"), name=each) for each in resource.view.spoken.allow(resource)])


@rfc3253.property(D("supported-live-property-set"), on=Resource)
def supported_live_property_set(resource: Resource) -> Markup:
    """The live properties of the resource (section 3.1.4)."""
    return resource.view.spoken.derived(type(resource), _property_set)


def _property_set(spoken: Extensions, kind: type[Resource]) -> Markup:
    return xml.join(
        [
            xml.element(D("supported-live-property"), xml.element(D("prop"), xml.element(name)))
            for name in sorted(spoken.properties(kind))
        ]
    )


# -- DAV:expand-property ---------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class Expand:
    """A property that is asked for, and the ones of the resources that it points to; none for its plain value."""

    inner: "Mapping[str, Expand]"

    @classmethod
    def parse(cls, root: Element) -> "Expand":
        """Read ``DAV:expand-property`` or a ``DAV:property`` in it (section 3.8)."""
        if len(root.findall(".//" + D("property"))) > MOST_NAMES:
            raise BadRequest("the request names too many properties")
        return cls({_name(each): cls.parse(each) for each in root.iterchildren(D("property"))})


def _name(element: Element) -> str:
    """The Clark name in the attributes of a ``DAV:property``."""
    namespace = element.get("namespace", "DAV:")
    if re.search(r"[\s{}<>\"\\^`|]", namespace):
        raise BadRequest("this is not a namespace")
    try:
        return etree.QName(namespace or None, element.get("name", "")).text
    except ValueError:
        raise BadRequest("this is not the name of a property") from None


@rfc3253.report(D("expand-property"), on=Resource, body=Expand.parse)
def expand_property(request: Request, resource: Resource, asked: Expand) -> Response:
    """Properties, and instead of the hrefs in them properties of the resources that they name (section 3.8)."""
    if request.parsed(depth) not in (None, Depth.ZERO):
        raise BadRequest("expand-property takes Depth: 0")
    resource.require(READ)
    return Multistatus([_Expansion(resource.view).response(resource, asked)]).answer()


class _Expansion:
    """One expand-property: counts what it visits. How deep it goes is how deep the request is nested."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._left = view.settings.expand_resources

    def response(self, resource: Resource, asked: Expand) -> str:
        """The ``DAV:response`` of a resource with its expanded properties."""
        wanted = Wanted(elements={name: etree.Element(name) for name in asked.inner})
        extra = {name: self._getter(name, each) for name, each in asked.inner.items() if each.inner}
        return Properties(self._view, wanted, extra=extra).response(resource)

    def _getter(self, name: str, asked: Expand) -> Callable[[Resource], Markup | None]:
        return lambda resource: self._expanded(resource, name, asked)

    def _expanded(self, resource: Resource, name: str, asked: Expand) -> Markup | None:
        element = _property(resource, name)
        if element is None:
            return None
        responses: list[str] = []
        for href in list(element.iter(D("href"))):
            responses.append(self._of_href(xml.content(href), asked))
            place = etree.Comment(str(len(responses) - 1))
            place.tail = href.tail
            parent = href.getparent()
            if parent is not None:
                parent.replace(href, place)
        inside = xml.escape(element.text or "") + "".join(etree.tostring(each, encoding="unicode") for each in element)
        return Markup(re.sub("<!--([0-9]+)-->", lambda match: responses[int(match[1])], inside))

    def _of_href(self, uri: str, asked: Expand) -> str:
        self._left -= 1
        if self._left < 0:
            raise NumberOfMatchesWithinLimits("the properties point to more resources than this server visits")
        status = HTTPStatus.NOT_FOUND
        try:
            href = local(self._view.request, uri)
            if href is not None and (found := self._view.find(href)).exists:
                found.require(READ)
                return self.response(found, asked)
        except NeedPrivileges:
            status = HTTPStatus.FORBIDDEN
        except BadRequest:
            status = HTTPStatus.NOT_FOUND
        return status_response(uri, status)


def _property(resource: Resource, name: str) -> Element | None:
    """A property of a resource as an element; None where it is not there."""
    declared = resource.view.spoken.properties(type(resource)).get(name)
    if (declared is None or declared.stored) and name in resource.stored_properties:
        return xml.restored(resource.stored_properties[name])
    value = None if declared is None else declared(resource)
    if value is None:
        return None
    return xml.restored(xml.document(name, value).decode())
