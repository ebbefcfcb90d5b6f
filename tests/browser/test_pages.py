"""What the pages say and how they look, whatever is answered."""

import hashlib
import json
import re

import pytest
from demo import answer, fetch, link_in, wait_until
from playwright.sync_api import expect

from test_signing import REJECT, SIGN, fill_in, send


def test_the_review_page_says_who_and_what(browse, approval):
    page = browse()
    page.goto(approval.link)
    expect(page).to_have_title(re.compile(f"document {approval.document}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"document {approval.document}")
    main = page.get_by_role("main")
    expect(main).to_contain_text(f"By signing you confirm that you have read document {approval.document}.")
    expect(page.get_by_role("contentinfo")).to_contain_text("req_")
    # Every field has a name that a screen reader says.
    unnamed = page.locator("input:not([type=hidden]), textarea").evaluate_all(
        "fields => fields.filter(field => !field.labels.length).map(field => field.outerHTML)"
    )
    assert unnamed == []


CONTRACT = "1. Parties\n   Example Ltd and <b>Miller & Sons</b>\n\n2. Term: one year"


def asks_for_more(demo) -> str:
    """The link to a request that uses what the sample leaves out: requester, message, document, deadline, two people."""
    client = demo.client("stepfunctions")
    request = {
        "taskToken.$": "$$.Task.Token",
        "title": "Sign the lease",
        "message": "Please read *section 2*.\n\n<script>document.title = 'taken over'</script>",
        "requester": {"name": "Legal", "email": "legal@example.com"},
        "documents": [{"name": "lease.txt", "text": CONTRACT}],
        "signers": [{"name": "Dora", "email": "dora@example.com"}, {"name": "Emil", "email": "emil@example.com"}],
        "timeoutSeconds": 200_000,
        "timeZone": "Europe/Berlin",
    }
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "countersign", "Payload": request},
        "End": True,
    }
    machine = client.create_state_machine(
        name="lease", definition=json.dumps({"StartAt": "Ask", "States": {"Ask": state}}), roleArn="arn:aws:iam::123456789012:role/any"
    )
    client.start_execution(stateMachineArn=machine["stateMachineArn"])
    mail = wait_until("Dora has a mail", lambda: demo.mails("dora@example.com"))[0]
    assert "Legal" in mail["text"] and "lease" in mail["subject"]
    return link_in(mail)


def test_the_review_page_shows_all_there_is_to_read_before_it_asks(browse, demo):
    page = browse()
    page.goto(asks_for_more(demo))
    main = page.get_by_role("main")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Legal")
    expect(main).to_contain_text("Berlin time")
    expect(main).to_contain_text("Emil")
    expect(main.locator("em")).to_have_text("section 2")
    # What others wrote is text, whatever it looks like; and complete, down to its spaces.
    paper = main.get_by_text("1. Parties")
    assert paper.inner_text() == CONTRACT
    expect(page).to_have_title(re.compile("lease"))
    reading, button = paper.bounding_box(), main.get_by_role("button").bounding_box()
    assert reading["y"] + reading["height"] < button["y"]
    page.get_by_text("Details").click()
    expect(main).to_contain_text(hashlib.sha256(CONTRACT.encode()).hexdigest())


def test_nothing_chosen_comes_back_with_what_to_do(browse, demo, approval):
    page = browse()
    page.goto(approval.link)
    page.get_by_label(re.compile("^Comment")).fill("Kept as it was:\n<b>this</b>")
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("thing")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_label(re.compile("^Comment"))).to_have_value("Kept as it was:\n<b>this</b>")
    # Each entry leads to its field, by keyboard too.
    for entry in page.get_by_role("alert").get_by_role("link").all():
        assert page.locator(entry.get_attribute("href")).count() == 1
    page.get_by_role("alert").get_by_role("link").first.press("Enter")
    assert page.evaluate("document.activeElement.name") == "outcome"
    assert demo.execution(approval.execution)["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("outcome", "comment", "name", "field"),
    [
        (SIGN, "Kept", "Mallory", "name"),
        (SIGN, "Kept", "", "name"),
        (REJECT, "", "Bob", "comment"),
    ],
    ids=["wrong name", "no name", "rejected without a reason"],
)
def test_mistakes_come_back_beside_their_field(browse, demo, approval, outcome, comment, name, field):
    page = browse()
    page.goto(approval.link)
    fill_in(page, outcome, comment, name)
    send(page)
    expect(page.get_by_role("alert").get_by_role("link")).to_have_attribute("href", f"#{field}")
    expect(page.get_by_role("alert")).to_be_focused()
    wrong = page.locator(f"#{field}")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    described = wrong.get_attribute("aria-describedby").split()
    assert any(page.locator(f"#{name}").inner_text().strip() for name in described if name.endswith("problem"))
    expect(page.get_by_role("radio", name=outcome, exact=True)).to_be_checked()
    expect(page.get_by_label(re.compile("^Comment"))).to_have_value(comment)
    expect(page.get_by_label(re.compile("^Type your name"))).to_have_value(name)
    assert demo.execution(approval.execution)["status"] == "RUNNING"
    # Put right, it goes through.
    fill_in(page, outcome, "A reason", "  bob ")
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")


def test_a_stopped_workflow_s_page_says_that_it_is_too_late(browse, demo, approval):
    demo.client("stepfunctions").stop_execution(executionArn=approval.execution)
    page = browse()
    page.goto(approval.link)
    expect(page.get_by_role("heading", level=1)).to_have_text("It is too late to answer")
    expect(page.get_by_role("radio")).to_have_count(0)


def test_an_answer_that_comes_too_late_is_told_so(browse, demo, approval):
    page = browse()
    page.goto(approval.link)
    fill_in(page, SIGN, comment="Just in time?")
    demo.client("stepfunctions").stop_execution(executionArn=approval.execution)
    send(page)
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text(re.compile("too late", re.IGNORECASE))
    expect(page.get_by_role("main")).to_contain_text("Just in time?")


@pytest.mark.parametrize(
    "broken",
    [
        lambda link: link[:-1],
        lambda link: link[:-10],
        lambda link: link + "a",
        lambda link: link[:-1] + ("A" if link[-1] != "A" else "B"),
        lambda link: link[:-30] + ("A" if link[-30] != "A" else "B") + link[-29:],
        lambda link: link[:-47] + "A" * 47,
        lambda link: link[:-47] + "%00",
        lambda link: link[:-47],
    ],
    ids=["cut by one", "cut by ten", "longer", "last changed", "middle changed", "made up", "odd bytes", "nothing"],
)
def test_a_broken_link_s_page_says_why_and_what_to_do(browse, demo, approval, broken):
    address = broken(approval.link)
    page = browse()
    response = page.goto(address)
    assert 400 <= response.status < 500
    if address.endswith("/s/"):
        return
    expect(page.get_by_role("heading", level=1)).to_have_text("This link isn’t valid")
    expect(page.get_by_role("main")).to_contain_text("cut it off")
    # It must not tell whether there is such a request.
    assert approval.document not in page.content()


def pages_of_every_kind(demo, document_numbers):
    """Addresses of pages in different states."""
    waiting, signed, stopped = (demo.ask(str(next(document_numbers))) for _ in range(3))
    answer(signed.link, "approve", comment="W" * 400)
    demo.client("stepfunctions").stop_execution(executionArn=stopped.execution)
    return {"review": waiting.link, "signed": signed.link, "too late": stopped.link, "not valid": waiting.link[:-1]}


@pytest.fixture(scope="module")
def every_kind(demo, document_numbers):
    return pages_of_every_kind(demo, document_numbers)


@pytest.mark.parametrize("kind", ["review", "signed", "too late", "not valid"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_has_to_be_scrolled_sideways(browse, every_kind, kind, width):
    page = browse(viewport={"width": width, "height": 740})
    page.goto(every_kind[kind])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Small targets are missed by thumbs.
    for control in page.locator("main button, main input[type=text], main textarea, main .choice").all():
        assert control.bounding_box()["height"] >= 43.5, control.evaluate("it => it.outerHTML")


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of a computed colour."""
    channels = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


GROUND_AND_TEXT = """
() => Array.from(document.querySelectorAll('h1, p, dt, dd, label, legend, a, summary, button, time, .quiet'))
    .filter(it => it.innerText && it.innerText.trim() && it.getClientRects().length)
    .map(it => {
        let ground = it;
        while (ground && /^rgba\\(.*, 0\\)$|^transparent$/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
        const page = getComputedStyle(document.documentElement).backgroundColor;
        return [it.outerHTML.slice(0, 80), getComputedStyle(it).color, ground ? getComputedStyle(ground).backgroundColor : page];
    })
"""


@pytest.mark.parametrize("kind", ["review", "signed", "too late", "not valid"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browse, every_kind, kind, scheme):
    page = browse(color_scheme=scheme)
    page.goto(every_kind[kind])
    pairs = page.evaluate(GROUND_AND_TEXT)
    assert len(pairs) >= 5
    for element, text, ground in pairs:
        assert (luminance(ground) < 0.2) == (scheme == "dark") or "button" in element or element.startswith("<span"), (element, ground)
        lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
        contrast = (lighter + 0.05) / (darker + 0.05)
        assert contrast >= 4.5, f"{contrast:.1f}:1 for {text} on {ground}: {element}"


def test_pages_are_guarded_by_their_headers(demo, every_kind):
    for address in every_kind.values():
        headers = {name.lower(): value for name, value in fetch(address).headers.items()}
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert "no-store" in headers["cache-control"]
        assert "set-cookie" not in headers
