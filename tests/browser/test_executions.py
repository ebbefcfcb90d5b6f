"""The embedded AWS's pages of executions: they say what happens, keep up with it, and let one be started."""

import json

import pytest
from demo import answer, fetch, wait_until
from playwright.sync_api import expect

from test_accessibility import LOOKS, assert_accessible
from test_zoom import LONG, WAYS, assert_whole

ROLE = "arn:aws:iam::123456789012:role/any"
WORKFLOW = {
    "StartAt": "How much?",
    "States": {
        "How much?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.total", "NumericGreaterThan": 1000, "Next": "Refuse"}],
            "Default": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "End": True,
            "Branches": [
                {"StartAt": LONG[:80], "States": {LONG[:80]: {"Type": "Wait", "SecondsPath": "$.seconds", "End": True}}},
                {"StartAt": "Each", "States": {"Each": {
                    "Type": "Map", "ItemsPath": "$.items", "End": True,
                    "ItemProcessor": {"StartAt": "Keep", "States": {"Keep": {"Type": "Pass", "End": True}}},
                }}},
            ],
        },
        "Refuse": {"Type": "Fail", "Error": "Refused", "Cause": LONG * 2},
    },
}


@pytest.fixture(scope="module")
def machine(demo):
    client = demo.client("stepfunctions")
    return client.create_state_machine(name="page-tests", definition=json.dumps(WORKFLOW), roleArn=ROLE)["stateMachineArn"]


@pytest.fixture
def start(demo, machine, document_numbers):
    """Starts an execution; gives the address of its page."""

    def start(total: int = 1, seconds: int = 3600, name: str = "") -> str:
        name = name or f"run-{next(document_numbers)}"
        given = json.dumps({"total": total, "seconds": seconds, "items": [1, 2, 3], "text": LONG})
        demo.client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=given)
        return f"{demo.aws}/executions/page-tests/{name}"

    return start


def page_of(demo, approval) -> str:
    return f"{demo.aws}/executions/{approval.execution.split(':', 6)[6].replace(':', '/')}"


def unfold(page):
    for summary in page.locator("summary").all():
        if summary.locator("..").get_attribute("open") is None and summary.is_visible():
            summary.click()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_is_accessible(browse, demo, approval, start, width, scheme):
    page = browse(viewport={"width": width, "height": 800}, color_scheme=scheme)
    addresses = [demo.aws, f"{demo.aws}/executions", f"{demo.aws}/executions?text=nowhere", f"{demo.aws}/executions/start"]
    addresses.append(f"{demo.aws}/clock")
    for address in [*addresses, page_of(demo, approval), start(), start(total=5000), f"{demo.aws}/executions/a/b"]:
        page.goto(address)
        unfold(page)
        assert_accessible(page)


@pytest.mark.parametrize("way", WAYS)
def test_every_page_is_whole(browse, demo, approval, start, way):
    width, ratio, enlarged = WAYS[way]
    # AWS takes no umlauts here.
    long_name = f"{way[:3].strip()}-{LONG}".replace("ä", "ae")[:80]
    addresses = [start(name=long_name), start(total=5000), page_of(demo, approval), f"{demo.aws}/executions", f"{demo.aws}/executions/start", demo.aws]
    for address in addresses:
        page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
        page.goto(address)
        unfold(page)
        assert_whole(page, enlarged)


def test_the_page_keeps_up_with_its_execution(browse, demo, approval):
    page = browse()
    page.goto(page_of(demo, approval))
    state = page.locator("[data-part=state]")
    expect(state).to_contain_text("Running")
    waiting = page.locator(".node.waiting")
    expect(waiting).to_contain_text("awaits answer")

    # What was unfolded and has the focus stays so.
    page.get_by_text("Events").click()
    # Alice has signed, and her step folds up.
    expect(page.locator(".steps > li > details:not([open])")).to_have_count(1, timeout=20_000)
    succeeded = page.locator(".steps > li > details:not([open])").get_attribute("id")
    page.locator(f"#{succeeded} > summary").click()
    page.evaluate("window.untouched = true")
    assert answer(approval.link, "approve").status == 200
    expect(state).to_contain_text("Succeeded", timeout=20_000)
    expect(page.locator("[data-announce]")).to_have_text("Succeeded")
    expect(page.locator(".node.waiting")).to_have_count(0)
    expect(page.locator("#event-list")).to_have_attribute("open", "")
    expect(page.locator(f"#{succeeded}")).to_have_attribute("open", "")
    expect(page.locator(f"#{succeeded} > summary")).to_be_focused()
    expect(page.get_by_role("link", name="Refresh")).to_have_count(0)
    assert page.evaluate("window.untouched") is True


def test_people_who_are_asked_can_be_answered_for(browse, demo, approval):
    page = browse(java_script_enabled=False)
    page.goto(page_of(demo, approval))
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    page.get_by_role("link", name="answer as Bob").click()
    expect(page).to_have_url(approval.link)
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"document {approval.document}")


def test_a_state_in_the_graph_leads_to_its_step(browse, demo, start):
    page = browse()
    page.goto(start(total=5000))
    expect(page.locator(".node.failed")).to_contain_text("Refuse")
    page.get_by_role("link", name="How much?, Choice: succeeded").focus()
    page.keyboard.press("Enter")
    step = page.locator(".inside:target")
    expect(step).to_be_visible()
    expect(step).to_contain_text('"total": 5000')


def test_an_execution_is_stopped_on_purpose_only(browse, demo, start):
    page = browse(java_script_enabled=False)
    page.goto(start())
    page.get_by_text("Stop this execution").click()
    page.get_by_role("button", name="Stop").click()
    # The browser asks for the box.
    expect(page.locator("[data-part=state]")).to_contain_text("Running")
    page.get_by_label("Yes, stop it for good").check()
    page.get_by_label("Why").fill("tried enough")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-part=state]")).to_contain_text("Stopped")
    expect(page.locator("[data-part=state]")).to_contain_text("tried enough")


@pytest.mark.parametrize("script", [True, False])
def test_an_execution_is_started_by_keyboard(browse, demo, start, script):
    start(seconds=1)
    page = browse(java_script_enabled=script)
    page.goto(f"{demo.aws}/executions/start?machine=page-tests")
    field = page.get_by_label("Input, as JSON")
    expect(field).to_have_value(json.dumps({"total": 1, "seconds": 1, "items": [1, 2, 3], "text": LONG}, indent=2, ensure_ascii=False))
    field.fill('{"total": 5000,\n "seconds": }')
    if script:
        expect(page.locator("#input-fault")).to_contain_text("not JSON: line 2")
    page.get_by_role("button", name="Start").press("Enter")
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("line 2, column 13")
    expect(summary).to_be_focused()
    expect(field).to_have_value('{"total": 5000,\n "seconds": }')
    assert_accessible(page) if script else None
    page.get_by_role("link", name="line 2").press("Enter")
    expect(field).to_be_focused()
    field.fill('{"total":5000}')
    page.get_by_role("button", name="Format").press("Enter")
    expect(field).to_have_value('{\n  "total": 5000\n}')
    page.get_by_role("button", name="Start").press("Enter")
    expect(page.locator("[data-part=state]")).to_contain_text("Failed")
    page.get_by_role("link", name="Start again with this input").click()
    expect(field).to_have_value('{\n  "total": 5000\n}')


def test_the_list_keeps_up_and_is_narrowed(browse, demo, start):
    page = browse()
    page.goto(f"{demo.aws}/executions?machine=page-tests")
    address = start()
    name = address.rpartition("/")[2]
    expect(page.get_by_role("link", name=name)).to_be_visible(timeout=20_000)
    page.get_by_label("Status").select_option("SUCCEEDED")
    page.get_by_label("Name or input contains").fill(name)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No execution fits")).to_be_visible()
    page.get_by_label("Status").select_option("RUNNING")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=name).click()
    expect(page).to_have_url(address)


def test_links_to_signers_stay_off_the_log(demo, approval):
    page = wait_until("the link", lambda: approval.link in fetch(page_of(demo, approval)).text)
    assert page
    assert approval.link.rpartition("/")[2] not in "\n".join(demo.errors + demo.lines)
