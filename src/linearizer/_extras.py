"""Optional dependencies, imported where they are used."""

from collections.abc import Iterator
from contextlib import contextmanager

from linearizer.errors import MissingExtraError


@contextmanager
def needs_extra(package: str, extra: str = "data") -> Iterator[None]:
    """Import optional packages inside this block.

    Args:
        package: What pip calls the package.
        extra: The extra of this library that brings it.

    Raises:
        MissingExtraError: If the import fails; it says what to install.

    Example:
        >>> from linearizer._extras import needs_extra
        >>> with needs_extra("pillow"):
        ...     import a_package_that_is_not_there
        Traceback (most recent call last):
        linearizer.errors.MissingExtraError: expected the package pillow, got: ...
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"expected the package {package}, got: {error}; run: pip install 'linearizer[{extra}]'"
        ) from error
