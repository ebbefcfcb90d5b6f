"""Nothing is cut off or has to be scrolled sideways: on a narrow phone, at 200 % zoom, and with text of double size
(WCAG 2.2, 1.4.4 and 1.4.10), on every page and in every mail, with the longest words that a request may bring."""

import json

import pytest
from demo import answer, fetch, link_in, wait_until
from playwright.sync_api import expect

from test_signing import send

# The window, its pixels for each of CSS's, and by how much the text alone is enlarged.
WAYS = {"360 px": (360, 1, 1), "200 % zoom": (640, 2, 1), "text of 200 %": (1280, 1, 2)}

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
REQUEST = {
    "taskToken.$": "$$.Task.Token",
    "title.$": "$.title",
    "message": f"{LONG} *{LONG}*\n\n| {LONG} | b | c | d |\n| --- | --- | --- | --- |\n| {LONG} | 2 | 3 | 4 |\n\n```\n{LONG * 3}\n```",
    "requester": {"name": f"Legal {LONG[:60]}", "email": f"{'l' * 60}@{'example' * 6}.com"},
    "documents": [{"name": f"{LONG}.txt", "text": f"{LONG * 2}\n\tindented {LONG}"}],
    "signers": [
        {"name": "Dora", "email": "dora@example.com", "role": LONG},
        {"name": f"Emil {LONG[:80]}", "email": "emil@example.com"},
        {"name": "Frida", "email": "frida@example.com"},
    ],
    "timeoutSeconds": 200_000,
}

OFFENDING = """() => {
    const scrolls = it => /auto|scroll/.test(getComputedStyle(it).overflowX);
    const inScroller = it => { for (let up = it; up; up = up.parentElement) if (scrolls(up)) return true; return false; };
    return [...document.querySelectorAll('body *')].filter(it => {
        if (!it.checkVisibility({visibilityProperty: true, opacityProperty: true}) || it.closest('.unseen, svg, input')) return false;
        const box = it.getBoundingClientRect(), style = getComputedStyle(it);
        const outside = !inScroller(it.parentElement) && (box.right > innerWidth + 1 || box.left < -1);
        const hides = style.display !== 'inline' && ['hidden', 'clip'].some(way => style.overflowX === way || style.overflowY === way);
        const cut = hides && (it.scrollWidth > it.clientWidth + 1 || it.scrollHeight > it.clientHeight + 1);
        return outside || cut;
    }).map(it => it.outerHTML.slice(0, 120));
}"""


# As a browser's "zoom text only" does: every text at its size times `by`, whatever unit that was given in.
ENLARGE = """by => {
    const all = [...document.querySelectorAll('*')];
    const sizes = all.map(it => parseFloat(getComputedStyle(it).fontSize));
    all.forEach((it, n) => it.style.fontSize = `${sizes[n] * by}px`);
}"""


def assert_nothing_sideways(page, enlarged: int):
    if enlarged > 1:
        page.evaluate(ENLARGE, enlarged)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def assert_whole(page, enlarged: int):
    assert_nothing_sideways(page, enlarged)
    assert page.evaluate(OFFENDING) == []


@pytest.fixture(scope="module")
def ask(demo):
    """Asks Dora, Emil and Frida; gives the execution and Dora's link."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "countersign", "Payload": REQUEST},
        "End": True,
    }
    client = demo.client("stepfunctions")
    machine = client.create_state_machine(
        name="long", definition=json.dumps({"StartAt": "Ask", "States": {"Ask": state}}), roleArn="arn:aws:iam::123456789012:role/any"
    )["stateMachineArn"]

    def ask(number: int) -> tuple[str, dict[str, str]]:
        begin = f"Sign zoom {number} "
        title = begin + (LONG * 3)[: 200 - len(begin)]
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps({"title": title}))["executionArn"]

        def link(name: str) -> str:
            thing = f"zoom {number} "
            found = wait_until(
                f"{name}'s mail", lambda: next((m for m in demo.mails(f"{name}@example.com") if thing in m["subject"]), None)
            )
            return link_in(found)

        return execution, {name: link(name) for name in ("dora", "emil", "frida")}

    return ask


@pytest.fixture(scope="module")
def pages(demo, ask):
    """The addresses of pages in every state that a link leads to."""
    _, waiting = ask(1)
    _, answered = ask(2)
    assert answer(answered["dora"], "approve", comment=LONG, name="Dora").status == 200
    _, rejected = ask(3)
    assert answer(rejected["frida"], "reject", comment=LONG * 4, name="Frida").status == 200
    stopped, too_late = ask(4)
    demo.client("stepfunctions").stop_execution(executionArn=stopped)
    _, withdrawn = ask(5)
    _, completed = ask(6)
    for link, action in ((withdrawn["dora"], "cancel"), (completed["dora"], "complete")):
        request = {"action": action, "requestId": wait_until("its id", lambda: request_of(link))}
        request |= {"reason": LONG * 3} if action == "cancel" else {"comment": LONG}
        done = demo.client("lambda").invoke(FunctionName="countersign-operations", Payload=json.dumps(request))
        assert "FunctionError" not in done, done["Payload"].read()
    return {
        "waiting": waiting["dora"],
        "answered": answered["dora"],
        "decided by another": rejected["dora"],
        "too late": too_late["dora"],
        "withdrawn": withdrawn["dora"],
        "answered on behalf": completed["dora"],
        "not valid": waiting["dora"][:-1],
        "not found": waiting["dora"].partition("/s/")[0] + "/nowhere",
    }


def request_of(link: str) -> str:
    page = fetch(link).text
    return page[page.index("req_") :][:30]


@pytest.mark.parametrize("way", WAYS)
def test_every_page_is_whole(browse, pages, way):
    width, ratio, enlarged = WAYS[way]
    headings = set()
    for address in pages.values():
        page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
        page.goto(address)
        headings.add(page.get_by_role("heading", level=1).inner_text())
        for summary in page.locator("summary").all():
            summary.click()
        assert_whole(page, enlarged)
    # Each is the page that it was meant to be.
    assert len(headings) >= len(pages) - 1, headings


@pytest.mark.parametrize("way", WAYS)
def test_the_form_with_mistakes_is_whole(browse, pages, way):
    width, ratio, enlarged = WAYS[way]
    page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
    page.goto(pages["waiting"])
    page.locator("#name").fill(LONG)
    page.locator("#comment").fill(LONG * 3)
    send(page)
    expect(page.get_by_role("alert")).to_be_visible()
    assert_whole(page, enlarged)


@pytest.mark.parametrize("way", WAYS)
def test_every_mail_is_whole(browse, demo, pages, way):
    width, ratio, enlarged = WAYS[way]
    mails = {mail["subject"].split(":")[0]: mail for mail in demo.mails("dora@example.com")}
    assert len(mails) >= 3, mails.keys()
    for mail in mails.values():
        page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
        page.set_content(mail["html"])
        assert_whole(page, enlarged)


@pytest.mark.parametrize("way", WAYS)
def test_the_mailbox_fits(browse, demo, approval, way):
    width, ratio, enlarged = WAYS[way]
    page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
    page.goto(demo.mailbox)
    # It shortens what it lists, so that alone is asked of it.
    assert_nothing_sideways(page, enlarged)
