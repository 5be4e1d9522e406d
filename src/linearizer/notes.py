"""What the training of a model wrote of itself, beside the weights."""

import json
from pathlib import Path
from typing import Any

NOTE = "run.json"


def read_note(run: Path) -> dict[str, Any]:
    """What the training of a model wrote of itself; nothing for a model from elsewhere."""
    path = run / NOTE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
