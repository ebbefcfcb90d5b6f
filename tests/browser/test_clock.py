"""The page of a clock that can be skipped: for everybody, and without a script."""

import pytest
from local import Local, save
from playwright.sync_api import expect

from test_accessibility import LOOKS, assert_accessible
from test_zoom import WAYS, assert_whole

WAIT = {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 86_400, "End": True}}}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workflows")
    save(folder, "day", WAIT)
    with Local(folder, "--time-travel") as running:
        yield running.ready()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_is_accessible(browse, local, width, scheme):
    local.start("day")
    page = browse(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(f"{local.aws}/clock")
    assert_accessible(page)
    page.get_by_role("button", name="Skip to what is next").click()
    expect(page.get_by_role("heading", name="What the last skip passed")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_whole(browse, local, way):
    width, ratio, enlarged = WAYS[way]
    page = browse(viewport={"width": width, "height": 740}, device_scale_factor=ratio)
    page.goto(f"{local.aws}/clock")
    assert_whole(page, enlarged)


def test_it_works_without_a_script(browse, local):
    execution = local.start("day")
    page = browse(java_script_enabled=False)
    page.goto(f"{local.aws}/clock")
    expect(page.get_by_text("the end of “Sleep” in day/").first).to_be_visible()
    page.get_by_role("textbox", name="Time span").fill("2d")
    page.get_by_role("button", name="Skip by so much").click()
    expect(page.get_by_text("ahead of the real time")).to_be_visible()
    assert local.ended(execution)["status"] == "SUCCEEDED"
    page.get_by_label("Time, in UTC").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Skip to this time").click()
    expect(page.get_by_role("alert")).to_contain_text("can't go back")
