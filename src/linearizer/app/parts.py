"""What every tab is made of."""

import gradio as gr

from linearizer.app.digits import ALL, Digits


def pictures(name: str) -> gr.HTML:
    """The place of drawn pictures, which has this id in the page."""
    return gr.HTML(elem_id=name, apply_default_css=False)


def action(label: str, name: str) -> gr.Button:
    """The button that computes, which has this id in the page."""
    return gr.Button(label, variant="primary", elem_id=name)


def class_choice(digits: Digits, label: str, *, every: bool = False) -> gr.Dropdown:
    """The classes of a flow to choose from; hidden if it has none.

    Args:
        digits: The flow.
        label: Above the choice.
        every: Offer all classes too, and choose them at first.
    """
    names = [ALL] * every + [str(name) for name in digits.classes]
    return gr.Dropdown(
        names,
        value=names[0] if names else None,
        label=label,
        visible=bool(digits.classes),
        filterable=False,
        elem_id=f"{label.replace(' ', '-')}",
    )
