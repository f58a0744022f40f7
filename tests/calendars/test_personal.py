"""What of an object in a shared calendar is each person's own."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calserver import ical
from calserver.calendars import personal
from calserver.ical import CalendarObject
from calserver.store import Variant

BOB, CAT = 2, 3

Alarms = Sequence[str]
"""Triggers, one alarm each."""


def component(*lines: str, alarms: Alarms = (), recurrence: str = "", name: str = "VEVENT") -> list[str]:
    head = [f"BEGIN:{name}", "UID:1", "DTSTAMP:20260101T000000Z"]
    if recurrence:
        head.append(f"RECURRENCE-ID:{recurrence}")
    found = [*head, *(lines or ("DTSTART:20260105T090000Z",))]
    for each in alarms:
        found += ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", f"TRIGGER:{each}", "END:VALARM"]
    return [*found, f"END:{name}"]


def text(*components: Sequence[str]) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//EN", *(line for each in components for line in each)]
    return "".join(f"{line}\r\n" for line in (*lines, "END:VCALENDAR")).encode()


def read(*components: Sequence[str]) -> CalendarObject:
    return CalendarObject.parse(text(*components))


def shown(forms: personal.Forms, principal: int | None = None) -> bytes:
    """What somebody sees; None: the owner."""
    if principal is None:
        return forms.owner.text
    own = forms.personal.get(principal)
    return common(forms.owner.text) if own is None else own.text


def common(owner: bytes) -> bytes:
    form = personal.common_form(owner)
    return owner if form is None else form.text


def texts(forms: personal.Forms) -> Mapping[int, bytes]:
    return {principal: own.text for principal, own in forms.personal.items() if own is not None}


# -- common ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20260105T090000Z",),
        ("DTSTART;VALUE=DATE-TIME:20260105T090000Z", "TRANSP:TRANSPARENT"),
        ("DTSTART;VALUE=DATE:20260105", "TRANSP:TRANSPARENT"),
    ],
)
def test_an_object_in_which_nothing_is_anybodys_own_is_the_same_for_all(lines: Sequence[str]) -> None:
    assert personal.common_form(text(component(*lines))) is None


@pytest.mark.parametrize(
    "content",
    [
        text(component(alarms=("-PT5M",))),
        text(component("DTSTART:20260105T090000Z"), component(alarms=("-PT5M",), recurrence="20260106T090000Z")),
        text(component("DTSTART:20260105T090000Z", "X-MOZ-LASTACK:20260105T080000Z")),
        text(component(alarms=("-PT5M",), name="VTODO")),
        text(component(alarms=("-PT5M",))).replace(b"BEGIN:VALARM", b"BEGIN:VAL\r\n ARM"),
        text(component(alarms=("-PT5M",))).replace(b"BEGIN:VALARM", b"begin:val\r\n\tarm"),
    ],
)
def test_sharees_see_no_alarms_of_the_owner(content: bytes) -> None:
    form = personal.common_form(content)
    assert form is not None
    unfolded = form.text.replace(b"\r\n ", b"").upper()
    assert b"VALARM" not in unfolded
    assert b"X-MOZ" not in unfolded
    assert form.etag == ical.etag(form.text) != ical.etag(content)
    assert not form.busy_differs


@pytest.mark.parametrize("start", ["DTSTART;VALUE=DATE:20260105", 'DTSTART;VALUE="DATE":20260105'])
def test_whole_days_of_the_owner_take_up_no_time_of_sharees(start: str) -> None:
    form = personal.common_form(text(component(start)))
    assert form is not None
    assert b"TRANSP:TRANSPARENT" in form.text
    assert form.busy_differs


# -- writing -----------------------------------------------------------------------------------------------------------


def test_the_owner_writes_and_the_sharees_keep_their_alarms() -> None:
    mine = text(component(alarms=("-PT30M",)))
    forms = personal.written_by_owner(read(component("DTSTART:20260108T090000Z", alarms=("-PT5M",))), {BOB: mine})
    assert shown(forms) == text(component("DTSTART:20260108T090000Z", alarms=("-PT5M",)))
    assert shown(forms, BOB) == text(component("DTSTART:20260108T090000Z", alarms=("-PT30M",)))
    assert shown(forms, CAT) == text(component("DTSTART:20260108T090000Z"))


def test_a_sharee_writes_and_the_owner_and_the_others_keep_theirs() -> None:
    owner = text(component(alarms=("-PT5M",)))
    others = {CAT: text(component(alarms=("-PT10M",)))}
    new = read(component("DTSTART:20260108T090000Z", alarms=("-PT30M",)))
    forms = personal.written_by_sharee(new, BOB, owner, others)
    assert shown(forms) == text(component("DTSTART:20260108T090000Z", alarms=("-PT5M",)))
    assert shown(forms, BOB) == new.text
    assert shown(forms, CAT) == text(component("DTSTART:20260108T090000Z", alarms=("-PT10M",)))


def test_who_sets_only_alarms_changes_nothing_of_the_owner() -> None:
    """Byte by byte, however the owner's client writes."""
    owner = text(component(alarms=("-PT5M",))).replace(b"DESCRIPTION:x", b"DESCRIPTION:\r\n x").replace(b"UID", b"uid")
    forms = personal.written_by_sharee(read(component(alarms=("-PT30M",))), BOB, owner, {})
    assert forms.owner.text == owner


def test_who_writes_what_all_see_has_no_form_of_the_own() -> None:
    owner = text(component(alarms=("-PT5M",)))
    forms = personal.written_by_sharee(read(component()), BOB, owner, {BOB: text(component(alarms=("-PT30M",)))})
    assert forms.personal == {BOB: None}


def test_what_a_sharee_makes_takes_up_time_of_the_owner_as_told_but_has_no_alarms() -> None:
    new = read(component("DTSTART:20260105T090000Z", "TRANSP:TRANSPARENT", alarms=("-PT30M",)))
    forms = personal.written_by_sharee(new, BOB, None, {})
    assert shown(forms) == text(component("DTSTART:20260105T090000Z", "TRANSP:TRANSPARENT"))
    assert shown(forms, BOB) == new.text


def test_who_is_free_while_the_owner_is_busy_is_counted_apart() -> None:
    owner = text(component())
    forms = personal.written_by_sharee(
        read(component("DTSTART:20260105T090000Z", "TRANSP:TRANSPARENT")), BOB, owner, {}
    )
    own = forms.personal[BOB]
    assert own is not None
    assert own.busy_differs
    assert shown(forms) == owner


def test_an_instance_that_others_change_has_the_alarms_of_the_series() -> None:
    series = ("DTSTART:20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=5")
    changed = component("DTSTART:20260107T100000Z", recurrence="20260107T090000Z")
    forms = personal.written_by_owner(
        read(component(*series), changed), {BOB: text(component(*series, alarms=("-PT30M",)))}
    )
    instance = component("DTSTART:20260107T100000Z", alarms=("-PT30M",), recurrence="20260107T090000Z")
    assert shown(forms, BOB) == text(component(*series, alarms=("-PT30M",)), instance)


# -- properties --------------------------------------------------------------------------------------------------------

ALARMS = st.lists(st.sampled_from(["-PT5M", "-PT30M", "PT0S"]), max_size=2, unique=True)
STARTS = st.sampled_from(["DTSTART:20260105T090000Z", "DTSTART;VALUE=DATE:20260105", "DTSTART:20260107T120000Z"])
TRANSP = st.sampled_from([(), ("TRANSP:OPAQUE",), ("TRANSP:TRANSPARENT",)])


@st.composite
def written(draw: st.DrawFn) -> CalendarObject:
    start = draw(STARTS)
    parts = [component(start, *draw(TRANSP), alarms=draw(ALARMS))]
    if draw(st.booleans()):
        parts.append(component(start, *draw(TRANSP), alarms=draw(ALARMS), recurrence="20260106T090000Z"))
    return read(*parts)


def for_all(content: bytes) -> bytes:
    """What of an object is nobody's own."""
    return ical.serialize(personal.with_own(ical.parse(content), {}))


@given(st.lists(st.tuples(st.sampled_from([None, BOB, CAT]), written()), min_size=1, max_size=8))
def test_whoever_writes_reads_it_back_and_all_see_the_same_but_for_what_is_their_own(
    writes: list[tuple[int | None, CalendarObject]],
) -> None:
    owner: bytes | None = None
    kept: Mapping[int, bytes] = {}
    for who, new in writes:
        if who is None:
            forms = personal.written_by_owner(new, kept)
        else:
            forms = personal.written_by_sharee(new, who, owner, kept)
        assert shown(forms, who) == new.text or ical.parse(shown(forms, who)) == new.calendar
        for other in (None, BOB, CAT):
            assert for_all(shown(forms, other)) == for_all(new.text)
            if other != who and len(ical.parse(new.text).components) == 1 and owner is not None:
                before = owner if other is None else kept.get(other, common(owner))
                assert alarms(shown(forms, other)) == alarms(before)
        owner = forms.owner.text
        kept = {**{each: kept[each] for each in kept if each not in forms.personal}, **texts(forms)}


def alarms(content: bytes) -> object:
    """The alarms of the whole series."""
    return personal.own_of(ical.parse(content))[None].alarms


@given(written())
def test_the_common_form_is_its_own_common_form(new: CalendarObject) -> None:
    assert personal.common_form(common(new.text)) is None


@given(written(), written())
def test_a_variant_tells_whether_it_takes_up_other_time(owner: CalendarObject, new: CalendarObject) -> None:
    own: Variant | None = personal.written_by_sharee(new, BOB, owner.text, {}).personal[BOB]
    if own is not None and not own.busy_differs:
        assert (b"TRANSP:TRANSPARENT" in own.text) <= (b"TRANSP:TRANSPARENT" in owner.text)
