"""The page: its four tabs and how they look."""

import gradio as gr

from linearizer.app.models import Models
from linearizer.app.one_step_tab import one_step_tab
from linearizer.app.playground_tab import playground_tab
from linearizer.app.projector_tab import projector_tab
from linearizer.app.style_tab import style_tab

KEPT = 3600
SAYS = "# linearizer\nNetworks that are exactly linear: `f(x) = g_y⁻¹( A g_x(x) )`."
CSS = """
.board { overflow-x: auto; }
.board table { border-collapse: separate; border-spacing: 3px; }
.board td, .board th { border: none; padding: 0; text-align: center; font-weight: 500;
  font-size: 0.85rem; white-space: nowrap; }
.board th:first-child { padding-right: 0.6rem; text-align: right; white-space: normal;
  min-width: 4.5rem; }
.board img { width: clamp(56px, 8vw, 104px); image-rendering: pixelated; display: block;
  margin: 0; border-radius: 3px; }
"""


def theme() -> gr.themes.Default:
    """The fonts of the visitor's system: nothing is fetched from elsewhere."""
    return gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def build_page(models: Models) -> gr.Blocks:
    """All tabs, wired; nothing is computed before a visitor comes."""
    page = gr.Blocks(title="linearizer", analytics_enabled=False, delete_cache=(KEPT, KEPT))
    with page:
        gr.Markdown(SAYS)
        with gr.Tab("Playground"):
            playground_tab(page, models)
        with gr.Tab("One step") as tab:
            one_step_tab(tab, models)
        with gr.Tab("Style") as tab:
            style_tab(tab, models)
        with gr.Tab("Projector") as tab:
            projector_tab(tab, models)
    return page
