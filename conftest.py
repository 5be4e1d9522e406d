"""Every test and every docstring example starts from the same random state."""

import zlib

import pytest
import torch
from hypothesis import Phase, settings

LAWS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),  # seeds do not shrink to anything simpler
}
settings.register_profile("laws", max_examples=3, **LAWS)
settings.register_profile("thorough", max_examples=30, **LAWS)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same few examples in every run, unless --hypothesis-profile names another."""
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile("laws")


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Draw the same for a fixture that several tests share, whichever of them comes first."""
    if fixturedef.scope != "function":
        torch.manual_seed(zlib.crc32(fixturedef.argname.encode()))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
