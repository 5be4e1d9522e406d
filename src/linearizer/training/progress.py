"""The progress of a training, on stderr where that is a terminal."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class WholeRunProgress(Callback):
    """One bar for all steps of a run: step count, estimate of the time left, loss."""

    def __init__(self, steps: int, title: str) -> None:
        self.steps, self.title = steps, title
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        self.task = self.bar.add_task(
            self.title, total=self.steps, completed=trainer.global_step, loss=""
        )
        self.bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Move the bar, every tenth step."""
        if trainer.global_step % 10 == 0:
            loss = trainer.callback_metrics.get("loss")
            text = "" if loss is None else f"loss {float(loss):.3f}"
            self.bar.update(self.task, completed=trainer.global_step, loss=text)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the finished bar on the screen."""
        self.bar.update(self.task, completed=trainer.global_step)
        self.bar.stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back, without a bar above the message of what went wrong."""
        self.bar.live.transient = True
        self.bar.stop()
