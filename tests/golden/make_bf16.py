"""Writes bf16.json and f16.json: how far torch in these is from torch in f32, for the Rust tests of such products to be no further
than twice that.

    /tmp/golden/bin/python make_bf16.py       # after make.py, in the same environment

Each error is the Euclidean norm of the difference over that of the f32 value: of logits, of the loss, and of every gradient by name.
The models and batches are those of make.py; the reference is f32 with the same weights, rounded to bf16 beforehand.
"""

import json

import torch

from make import HERE, adapted, gradients, load, logits, rounded

CASES = {
    "tied": (lambda dtype: rounded(load("tied")).to(dtype), "ids", "lora_batches"),
    "untied": (lambda dtype: rounded(load("untied")).to(dtype), "long_ids", "full_batches"),
    "lora": (lambda dtype: narrow_base(adapted("lora", trainable=True), dtype), "ids", "lora_batches"),
    "rslora": (lambda dtype: narrow_base(adapted("rslora", trainable=True), dtype), "ids", "lora_batches"),
}


def narrow_base(model, dtype):
    """The base in the dtype, the adapter in f32, as PEFT keeps it."""
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            parameter.data = parameter.data.to(torch.bfloat16).to(dtype)
    return model


def error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    values = json.loads((HERE / "values.json").read_text())
    for file, dtype in [("bf16.json", torch.bfloat16), ("f16.json", torch.float16)]:
        errors = {}
        for name, (model, ids, batches) in CASES.items():
            batch = values[batches][0]
            loss, grads = gradients(model(torch.float32), batch)
            loss_narrow, grads_narrow = gradients(model(dtype), batch)
            errors[name] = dict(
                logits=error(logits(model(dtype), values[ids]), logits(model(torch.float32), values[ids])),
                loss=error(torch.tensor(loss_narrow), torch.tensor(loss)),
                gradients={key: error(grads_narrow[key], grads[key]) for key in grads},
            )
        (HERE / file).write_text(json.dumps(errors, sort_keys=True, indent=1) + "\n")


if __name__ == "__main__":
    main()
