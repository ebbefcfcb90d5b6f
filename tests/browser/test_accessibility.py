"""Every page and both kinds of mail under axe-core: no violation, narrow and wide, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from demo import answer
from playwright.sync_api import expect

from test_signing import REJECT, SIGN, fill_in, send

LOOKS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


def violations(page) -> list[str]:
    """What axe-core finds: the rule, what it asks for, and the first element that breaks it."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['help']}: {rule['nodes'][0]['html']}" for rule in found]


def assert_accessible(page):
    assert violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_pages_of_an_approval_in_all_their_states(browse, approval, width, scheme):
    page = browse(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(approval.link)
    assert_accessible(page)
    page.get_by_text("Details").click()
    assert_accessible(page)

    fill_in(page, REJECT, name="Rob")
    send(page)
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)

    fill_in(page, SIGN)
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Bob")
    assert_accessible(page)

    page.goto(approval.link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("already signed")
    assert_accessible(page)

    page.goto(approval.link[:-4])
    expect(page.get_by_role("heading", level=1)).to_contain_text("valid")
    assert_accessible(page)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_page_of_a_workflow_that_has_ended(browse, demo, approval, width, scheme):
    demo.client("stepfunctions").stop_execution(executionArn=approval.execution)
    page = browse(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(approval.link)
    expect(page.get_by_role("main")).to_contain_text("too late")
    assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_mails_and_the_mailbox(browse, demo, approval, scheme):
    answer(approval.link, "approve")
    page = browse(viewport={"width": 600, "height": 800}, color_scheme=scheme)
    page.goto(demo.mailbox)
    assert_accessible(page)
    # A page of its own: on the mailbox's, its policy would refuse the mail's inline styles.
    reader = browse(viewport={"width": 600, "height": 800}, color_scheme=scheme)
    for mail in demo.mails()[:2]:
        reader.set_content(mail["html"])
        # A mail stands in a mail program's page, which has the landmarks.
        found = [line for line in violations(reader) if not line.startswith(("region:", "landmark-one-main:"))]
        assert found == []


def test_axe_finds_what_is_wrong(browse):
    page = browse()
    page.set_content("<html lang='en'><title>x</title><main><h1>x</h1><input></main></html>")
    assert any(line.startswith("label:") for line in violations(page))
