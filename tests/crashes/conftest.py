"""All lives of the crash grid at once, and the grid at the end."""

from pathlib import Path

import pytest
from demo import BINARY
from lives.grid import BESIDES, POINTS
from lives.running import running
from lives.table import add_mark, cases_of, print_grid
from serve import SCOPES, new_key
from served import Served


def pytest_configure(config):
    add_mark(config)


@pytest.fixture(scope="session")
def lives(request, demo, tmp_path_factory):
    """The lives of all cases that are to be tested, begun: what each comes to."""
    folder = tmp_path_factory.mktemp("crashes")
    with running(Served, Path(BINARY), new_key(*SCOPES), demo, cases_of(request.session), folder) as begun:
        yield begun


def pytest_terminal_summary(terminalreporter):
    print_grid(terminalreporter, "of `serve`", {"points": POINTS, "other points": BESIDES})
