"""A progress bar over the whole run, with an estimate of what is left."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class WholeRunProgress(Callback):
    """One bar for all steps of a run: step count, estimate of the time left, loss."""

    def __init__(self, steps: int, title: str) -> None:
        self.steps, self.title = steps, title
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
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
        """Move on by a step."""
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
        """Give the terminal back."""
        self.bar.stop()
