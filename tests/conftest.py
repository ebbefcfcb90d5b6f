"""Shared by all Python tests."""

import itertools

import pytest

from demo import Demo


@pytest.fixture(scope="session")
def demo():
    """One demo for all tests that need a running one and not its end: each asks it for approvals of its own."""
    with Demo("--timeout", "3600") as running:
        yield running


@pytest.fixture(scope="session")
def document_numbers():
    return itertools.count(100)


@pytest.fixture
def approval(demo, document_numbers):
    """An approval that waits for Bob."""
    return demo.ask(str(next(document_numbers)))
