"""From what a visitor does to a function and back to the page."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from linearizer.errors import LinearizerError


def reports_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with every expected error as a message in the page."""

    @wraps(function)
    def reporting(*args: Any) -> Any:
        try:
            return function(*args)
        except LinearizerError as error:
            raise gr.Error(str(error), duration=30, print_exception=False) from error

    return reporting


def on(
    triggers: Sequence[Callable[..., Any]],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    opening: gr.Tab | None = None,
) -> None:
    """Run a function on any of these events; one at a time, as all share the processor.

    Args:
        triggers: The events.
        function: From the values of the inputs to those of the outputs.
        inputs: What the function takes.
        outputs: What it fills.
        opening: A tab; the function also runs when a visitor opens it for the first time.
    """
    gr.on(
        list(triggers),
        reports_errors(function),
        list(inputs),
        list(outputs),
        concurrency_id="models",
        concurrency_limit=1,
        trigger_mode="always_last",
        api_visibility="private",
        show_progress="minimal",
    )
    if opening is not None:
        on_opening(opening, function, inputs, outputs)


def on_opening(
    tab: gr.Tab, function: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
) -> None:
    """Run a function when a visitor opens a tab for the first time, and then no more."""
    opened = gr.State(False)

    def once(is_open: bool, *values: Any) -> Any:
        if is_open:
            return (gr.skip(),) * (1 + len(outputs))
        result = function(*values)
        return True, *(result if isinstance(result, tuple) else (result,))

    on([tab.select], once, [opened, *inputs], [opened, *outputs])
