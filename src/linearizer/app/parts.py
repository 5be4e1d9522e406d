"""What every tab is made of."""

import gradio as gr


def pictures(name: str) -> gr.HTML:
    """The place of drawn pictures, which has this id in the page."""
    return gr.HTML(elem_id=name, apply_default_css=False)


def action(label: str, name: str) -> gr.Button:
    """The button that computes, which has this id in the page."""
    return gr.Button(label, variant="primary", elem_id=name)
