"""Writes `schedules.json`: the learning rate of each step that transformers' `get_scheduler` gives, for eleven steps of ten.

    /tmp/golden/bin/python make_schedules.py
"""

import json
from pathlib import Path

import torch
from transformers import get_scheduler

HERE = Path(__file__).resolve().parent
PEAK, WARMUP, TOTAL = 0.001, 3, 10
SCHEDULES = {
    "linear": ("linear", {}),
    "cosine": ("cosine", {}),
    "cosine_cycles": ("cosine", {"num_cycles": 1.5}),
    "cosine_with_restarts": ("cosine_with_restarts", {}),
    "cosine_with_restarts_cycles": ("cosine_with_restarts", {"num_cycles": 3}),
    "cosine_with_min_lr": ("cosine_with_min_lr", {"min_lr": 0.0001}),
    "cosine_with_min_lr_rate": ("cosine_with_min_lr", {"min_lr_rate": 0.25, "num_cycles": 1.0}),
    "polynomial": ("polynomial", {}),
    "polynomial_square": ("polynomial", {"power": 2.0, "lr_end": 0.0002}),
    "constant_with_warmup": ("constant_with_warmup", {}),
    "inverse_sqrt": ("inverse_sqrt", {}),
    "inverse_sqrt_timescale": ("inverse_sqrt", {"timescale": 20}),
    "warmup_stable_decay": ("warmup_stable_decay", {"num_decay_steps": 4}),
    "warmup_stable_decay_linear": (
        "warmup_stable_decay",
        {"num_decay_steps": 3, "num_stable_steps": 2, "warmup_type": "cosine", "decay_type": "linear", "min_lr_ratio": 0.1},
    ),
    "warmup_stable_decay_sqrt": (
        "warmup_stable_decay", {"num_decay_steps": 4, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"},
    ),
}


def rates(kind, kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    # It takes no total, though its formula has none either.
    total = {} if kind == "constant_with_warmup" else {"num_training_steps": TOTAL}
    schedule = get_scheduler(kind, optimizer, num_warmup_steps=WARMUP, **total, scheduler_specific_kwargs=kwargs)
    found = []
    for _ in range(TOTAL + 1):
        found += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return found


if __name__ == "__main__":
    found = {name: rates(kind, kwargs) for name, (kind, kwargs) in SCHEDULES.items()}
    (HERE / "schedules.json").write_text(json.dumps(found, indent=1) + "\n")
