"""The grid as it came out: how many of the lives with a crash at each point ended as decided. Its tests carry a mark, by
which their cases are found before the first of them runs."""

from collections import Counter
from concurrent.futures import Future

from lives.grid import Case, Form, Point

MARK = "crash_case"


def add_mark(config):
    config.addinivalue_line("markers", f"{MARK}: a life with a crash, begun together with all others")


def cases_of(session) -> list[Case]:
    """The cases that are to be tested."""
    return [item.callspec.params["case"] for item in session.items if item.get_closest_marker(MARK)]


def result_of(case: Case, lives: dict[str, Future], record_property):
    """Waits for the case's life, and fails as it failed; notes for the grid what came of it."""
    record_property("point", str(case.point))
    record_property("form", case.form.value)
    record_property("mailed again", lives[str(case)].result().mailed_again)


def print_grid(terminalreporter, where: str, groups: dict[str, list[Point]]):
    """Prints the grid of the lives `where`, group by group of its points."""
    lived, good, twice = Counter(), Counter(), set()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        told = dict(report.user_properties)
        if report.when == "call" and "point" in told:
            place = told["point"], told["form"]
            lived[place] += 1
            good[place] += report.passed
            if told.get("mailed again"):
                twice.add(place)
    if not lived:
        return
    say = terminalreporter.write_line
    say("")
    say(row("GRID", f"lives {where} that ended as decided, by where it died", [form.value for form in Form]))
    for called, points in groups.items():
        whole = 0
        all_lived = all_good = 0
        for point in points:
            places = [(point.id, form.value) for form in point.forms]
            whole += all(lived[place] and good[place] == lived[place] for place in places)
            all_lived += sum(lived[place] for place in places)
            all_good += sum(good[place] for place in places)
            cells = {place[1]: f"{good[place]} of {lived[place]}{' *' if place in twice else ''}" for place in places}
            say(row(f"GRID {point}", point.name, [cells.get(form.value, "") for form in Form]))
        say(f"GRID {whole} of {len(points)} {called}: {all_good} of {all_lived} lives ended as decided")
    if twice:
        say("GRID * a mail came twice: SES had taken it, and the process died before that was on record")


def row(beginning: str, name: str, cells: list[str]) -> str:
    return f"{beginning:8} {name:58}" + "".join(f" {cell:10}" for cell in cells).rstrip()
