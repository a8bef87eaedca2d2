"""Writes `optimizers.safetensors`: where ten steps of each optimizer lead from the same start with the same gradients.

    /tmp/golden/bin/python make_optimizers.py

    start.{p}, gradient.{step}.{p}   a matrix and a vector, and their gradients
    {optimizer}.{p}                  the parameters after the last step; AdamW and SGD are torch's, Adafactor is transformers', Lion
                                     is written down below from the algorithm box of its paper
"""

import torch
from safetensors.torch import save_file
from transformers import Adafactor

from make import HERE, numbers

STEPS = 10
SHAPES = {"matrix": (9, 14), "vector": (11,)}
LR, WEIGHT_DECAY = 0.01, 0.1


class Lion(torch.optim.Optimizer):
    """Chen et al., 2023, Symbolic Discovery of Optimization Algorithms, program 1."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                update = torch.sign(m * beta1 + p.grad * (1 - beta1))
                p.sub_(group["lr"] * (update + group["weight_decay"] * p))
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=LR, betas=(0.9, 0.95), eps=1e-8, weight_decay=WEIGHT_DECAY),
    "sgd": lambda p: torch.optim.SGD(p, lr=LR, weight_decay=WEIGHT_DECAY),
    "momentum": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, weight_decay=WEIGHT_DECAY),
    "nesterov": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY),
    "lion": lambda p: Lion(p, lr=LR, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY),
    "adafactor": lambda p: Adafactor(p, lr=LR, scale_parameter=False, relative_step=False, weight_decay=WEIGHT_DECAY),
}


def main():
    torch.set_num_threads(1)
    generator = numbers(7)
    draw = lambda scale: {name: scale * torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    start, gradients = draw(1.0), [draw(0.1 * (step + 1)) for step in range(STEPS)]
    found = {f"start.{name}": p for name, p in start.items()}
    found |= {f"gradient.{i}.{name}": g for i, step in enumerate(gradients) for name, g in step.items()}
    for label, make in OPTIMIZERS.items():
        parameters = {name: torch.nn.Parameter(p.clone()) for name, p in start.items()}
        optimizer = make(list(parameters.values()))
        for step in gradients:
            for name, p in parameters.items():
                p.grad = step[name].clone()
            optimizer.step()
        found |= {f"{label}.{name}": p.detach() for name, p in parameters.items()}
    save_file(found, HERE / "optimizers.safetensors")
    (HERE / "optimizers.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
