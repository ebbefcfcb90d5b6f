"""Bob's way from the mail to the end of the workflow, in a browser."""

import json
import re
import time

import pytest
from demo import Demo, answer, fetch
from playwright.sync_api import expect

# The outcomes of a document to sign, as they are labelled.
SIGN, REJECT = "Sign", "Do not sign"
REASON = "The price in section 3 is wrong."


def fill_in(page, outcome: str, comment: str = "", name: str = "Bob"):
    # By its label, which is what a thumb hits.
    page.locator("label").filter(has_text=re.compile(rf"^\s*{outcome}\s*$")).click()
    expect(page.get_by_role("radio", name=outcome, exact=True)).to_be_checked()
    page.get_by_label(re.compile("^Comment")).fill(comment)
    page.get_by_label(re.compile("^Type your name")).fill(name)


def send(page):
    page.get_by_role("main").get_by_role("button").click()


def result_of(execution: dict) -> dict:
    """Bob's part of a signed document's result."""
    alice, bob = json.loads(execution["output"])
    assert alice["result"].startswith("Alice signed")
    return bob


def test_signing_by_clicking_ends_the_workflow(browse):
    with Demo() as demo:
        page = browse()
        page.goto(demo.mailbox)
        demo.mail_about("3")
        page.reload()
        page.get_by_role("link", name=re.compile("document 3")).click()
        # The link in the HTML part, as most mail programs show it.
        page.frame_locator("iframe").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Bob")
        expect(page.get_by_role("heading", level=1)).to_contain_text("document 3")
        fill_in(page, SIGN)
        expect(page.get_by_role("main").get_by_role("button")).to_have_text("Sign document 3", use_inner_text=True)
        send(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")
        expect(page.get_by_role("main")).to_contain_text("Your signature was recorded on")

        status, (alice, bob) = demo.result()
        assert (status, alice, bob["signature"]) == ("SUCCEEDED", {"result": "Alice signed 3"}, "Bob signed 3")
        assert '"signature": "Bob signed 3"' in demo.output
        assert demo.interrupt() == 0


def test_rejecting_by_keyboard_alone(browse):
    with Demo() as demo:
        page = browse()
        page.goto(demo.link_about("3"))
        keys = page.keyboard

        def focused(script: str):
            return page.evaluate(f"(() => {{ const it = document.activeElement; return {script} }})()")

        def tab_to(script: str):
            for _ in range(30):
                keys.press("Tab")
                if focused(script):
                    # Who can't see where they are can't use the keyboard.
                    ring = focused("parseFloat(getComputedStyle(it).outlineWidth)")
                    assert ring >= 3, f"the focus ring is {ring} px wide"
                    return
            raise AssertionError(f"Tab never got to {script}")

        tab_to("it.name === 'outcome'")
        keys.press("Space")
        keys.press("ArrowDown")
        assert focused("it.checked && document.querySelector(`label[for=${it.id}]`).innerText") == REJECT
        tab_to("it.name === 'comment'")
        keys.type(REASON)
        tab_to("it.name === 'name'")
        keys.type("Bob")
        tab_to("it.type === 'submit'")
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")
        expect(page.get_by_role("main")).to_contain_text("Your rejection was recorded on")
        expect(page.get_by_role("main")).to_contain_text(REASON)

        status, failure = demo.result()
        assert (status, failure["error"]) == ("FAILED", "Approval.Rejected")
        assert REASON in json.dumps(failure["cause"])


def test_it_all_works_without_scripts(browse, demo, approval):
    page = browse(java_script_enabled=False)
    page.goto(approval.link)
    fill_in(page, SIGN, comment="Fine by me.")
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")
    bob = result_of(demo.ended(approval.execution))
    assert bob["signature"] == f"Bob signed {approval.document}"
    assert bob["responses"][0]["comment"] == "Fine by me."


def test_a_browser_that_only_looks_decides_nothing(browse, demo, approval):
    page = browse()
    seen, waiting = set(), [demo.mailbox, approval.link]
    # As mail gateways do: open the link, and from there everything that can be opened.
    while waiting:
        address = waiting.pop()
        if address in seen or not address.startswith("http://127.0.0.1:") or len(seen) >= 25:
            continue
        seen.add(address)
        assert fetch(address, "HEAD").status < 500
        page.goto(address)
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        page.mouse.wheel(0, 10_000)
        # Links in a graph have no address of their own as text, so it is made from what stands there.
        address_of = "link => new URL(link.getAttribute('href'), document.baseURI).href.split('#')[0]"
        waiting += page.locator("a[href]").evaluate_all(f"links => links.map({address_of})")
    assert len(seen) > 5
    assert demo.execution(approval.execution)["status"] == "RUNNING"
    page.goto(approval.link)
    expect(page.get_by_role("radio", name=SIGN, exact=True)).not_to_be_checked()
    expect(page.get_by_role("radio", name=REJECT, exact=True)).not_to_be_checked()
    # It was waiting all along, and not for want of a way to answer.
    fill_in(page, SIGN)
    send(page)
    assert demo.ended(approval.execution)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("round_", range(3))
def test_two_answers_at_the_same_moment_make_one_decision(browse, demo, approval, round_):
    approving, rejecting = browse(), browse()
    for page, outcome in ((approving, SIGN), (rejecting, REJECT)):
        page.goto(approval.link)
        fill_in(page, outcome, comment=f"This window chose: {outcome}.")
    moment = time.time() * 1000 + 300
    for page in (approving, rejecting):
        page.evaluate(f"setTimeout(() => document.querySelector('main form button').click(), {moment} - Date.now())")
    for page in (approving, rejecting):
        expect(page.get_by_role("radio")).to_have_count(0)

    execution = demo.ended(approval.execution)
    if execution["status"] == "SUCCEEDED":
        winner, loser, deed = approving, rejecting, "signed"
        assert result_of(execution)["responses"][0]["comment"] == f"This window chose: {SIGN}."
    else:
        winner, loser, deed = rejecting, approving, "rejected"
        assert execution["error"] == "Approval.Rejected"
        assert f"This window chose: {REJECT}." in execution["cause"]
    expect(winner.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")
    expect(winner.get_by_role("alert")).to_have_count(0)
    expect(loser.get_by_role("main")).to_contain_text(f"already {deed}")
    expect(loser.get_by_role("alert")).to_contain_text("was not recorded")
    # What was typed in vain isn't lost.
    unsent = REJECT if loser is rejecting else SIGN
    expect(loser.get_by_role("alert")).to_contain_text(f"This window chose: {unsent}.")


def test_the_same_link_afterwards_says_what_was_answered(browse, demo, approval):
    answer(approval.link, "reject", comment=REASON)
    page = browse()
    page.goto(approval.link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("already rejected")
    expect(page.get_by_role("main")).to_contain_text(REASON)
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_a_double_click_is_the_same_as_one(browse, demo, approval):
    page = browse()
    page.goto(approval.link)
    fill_in(page, SIGN)
    page.get_by_role("main").get_by_role("button").dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("Thank you, Bob|already signed"))
    # What was sent second was not lost: it was the same.
    expect(page.get_by_role("alert")).to_have_count(0)
    bob = result_of(demo.ended(approval.execution))
    assert len(bob["responses"]) == 1
    assert len([mail for mail in demo.mails() if re.search(rf"\b{approval.document}\b", mail["subject"])]) == 1
