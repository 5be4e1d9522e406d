"""The page: its tabs and how they look."""

import gradio as gr

from linearizer.app.classes_tab import classes_tab
from linearizer.app.dynamics_tab import dynamics_tab
from linearizer.app.models import Models
from linearizer.app.one_step_tab import one_step_tab
from linearizer.app.playground_tab import playground_tab
from linearizer.app.projector_tab import projector_tab
from linearizer.app.style_tab import style_tab

KEPT = 3600
SAYS = "# linearizer\nNetworks that are exactly linear: `f(x) = g_y⁻¹( A g_x(x) )`."
CSS = """
.board { overflow-x: auto; }
.board table { border-collapse: separate; border-spacing: 3px; width: auto; margin: 0; }
.board td, .board th { padding: 0 !important; border: none !important; text-align: center; }
.board th { font-weight: 500; font-size: 0.85rem; white-space: nowrap; }
.board tr > :first-child { padding-right: 0.6rem !important; text-align: right;
  white-space: normal; min-width: 5.5rem; }
.board img { width: clamp(52px, 6.2vw, 92px); max-width: none; margin: 0; display: block;
  image-rendering: pixelated; border-radius: 3px; }
#projection img { width: clamp(52px, 6vw, 92px); }
#sums img, #line img, #ranks img { width: clamp(64px, 8.4vw, 120px); }
#translated img, #way img { width: clamp(52px, 6.6vw, 92px); }
#place img { width: clamp(110px, 14vw, 200px); }
.photo .image-frame, .photo img { width: 100% !important; height: auto !important;
  object-fit: contain !important; }
.pad { display: flex; flex-direction: column; gap: 6px; font-size: 0.9rem; max-width: 300px; }
.pad-head { display: flex; justify-content: space-between; }
.pad button { cursor: pointer; border: 1px solid var(--border-color-primary); border-radius: 4px; }
.pad-head button { padding: 0 10px; }
.pad canvas { width: 100%; touch-action: none; cursor: crosshair; border-radius: 4px;
  border: 1px solid var(--border-color-primary); background: white; }
.board { background: /* a shadow at an edge where there is more to scroll to */
  linear-gradient(to right, var(--body-background-fill) 30%, transparent) left / 40px 100%,
  linear-gradient(to left, var(--body-background-fill) 30%, transparent) right / 40px 100%,
  linear-gradient(to right, rgb(0 0 0 / 35%), transparent) left / 14px 100%,
  linear-gradient(to left, rgb(0 0 0 / 35%), transparent) right / 14px 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
@media (max-width: 640px) { /* all tabs in one row, and whole rows of pictures */
  .tab-container button { padding: 0 4px !important; font-size: 0.7rem !important; }
  .board table { border-spacing: 2px; }
  .board th { font-size: 0.66rem; white-space: normal; }
  .board tr > :first-child { min-width: 2.6rem; max-width: 4rem; padding-right: 0.2rem !important; }
  div .board td img { width: clamp(20px, calc((100vw - 166px) / var(--columns) - 2px), 110px)
    !important; }
}
.strokes { max-width: 440px; }
.strokes button { padding: 0 10px; }
.choices { display: grid; grid-template-columns: repeat(8, 1fr); gap: 4px; min-height: 34px; }
.choices img { width: 100%; margin: 0; image-rendering: pixelated; border-radius: 3px; }
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
        with gr.Tab("Classes") as tab:
            classes_tab(tab, models)
        with gr.Tab("Style") as tab:
            style_tab(tab, models)
        with gr.Tab("Projector") as tab:
            projector_tab(tab, models)
        with gr.Tab("Dynamics"):
            dynamics_tab()
    return page
