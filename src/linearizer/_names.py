"""What someone who mistyped a name most likely meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(text: object, known: Iterable[object]) -> str:
    """A question to put behind a name that is none, or nothing where no name is close.

    Example:
        >>> meant("mnsit", ["digits", "mnist"]), meant("photo.jpg", ["digits", "mnist"])
        (" (did you mean 'mnist'?)", '')
    """
    close = get_close_matches(str(text), map(str, known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
