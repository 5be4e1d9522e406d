"""The shipped flow of digits, with its classes and without."""

import json
from functools import cache

import linearizer as lz


@cache
def flow_with_classes():
    """The digits 0 to 9 of scikit-learn, 8 by 8 pixels."""
    return lz.load("digits").requires_grad_(False)


def flow_without_classes():
    """All of them as one."""
    return flow_with_classes().pooled


def run_without_classes(folder):
    """The folder of a run of `linearizer train one-step --data digits`."""
    flow_without_classes().save_pretrained(folder)
    note = {"application": "one-step", "data": "digits", "seed": 0, "noise_std": 0.1}
    (folder / "run.json").write_text(json.dumps(note))
    return folder
