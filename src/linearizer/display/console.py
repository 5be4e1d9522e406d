"""What commands print: results on stdout, all else on stderr, and nothing cut or broken.

Names and paths are printed as they are: rich would take brackets and colons in them for markup.
"""

import textwrap
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.text import Text


def say(text: str, console: Console | None = None) -> None:
    """Print lines to copy: paths, commands, code. A terminal breaks what is too long for it."""
    (console or Console()).print(Text(text), soft_wrap=True)


def tell(text: str, console: Console | None = None) -> None:
    """Print lines to read, as `folded` has them."""
    console = console or Console()
    say("\n".join(folded(line, console) for line in text.splitlines()), console)


def complain(kind: str, message: str, style: str, console: Console | None = None) -> None:
    """Print an error or a warning on stderr, in one line that is folded on a terminal."""
    console = console or Console(stderr=True)
    head = f"linearizer: {kind}".rstrip()
    line = " ".join(part.strip() for part in message.splitlines() if part.strip())
    text = Text(folded(f"{head} {line}", console))
    text.stylize(style, 0, len(head))
    console.print(text, soft_wrap=True)


def folded(line: str, console: Console) -> str:
    """A line with ends of lines between words where a terminal needs them; none in a pipe.

    A word that is longer than a line, such as a path, stays whole.
    """
    if not console.is_terminal:
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line,
        console.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def waiting(what: str) -> AbstractContextManager[object]:
    """A context in which the terminal shows that work goes on."""
    console = Console(stderr=True)
    return console.status(Text(what)) if console.is_terminal else nullcontext()
