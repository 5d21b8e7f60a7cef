"""How thoroughly to soak."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every", type=int, default=1, help="take one kill of so many")
