"""Writes what training the adapters of `make_kinds.py` does: the first loss, every gradient, and ten optimizer steps.

    /tmp/golden/bin/python make_training.py      # after make_kinds.py, whose adapters it trains

    training.json         by adapter, rslora/ of make.py among them: the first loss, and losses, gradient norms and parameter norms of ten steps, as in values.json
    training.safetensors  gradients, named `{adapter}.gradients.{tensor in files}`
"""

import json

import torch
from peft import PeftModel
from safetensors.torch import save_file

from make import HERE, adapted, gradients, load, train
from make_kinds import ADAPTERS, KINDS

LR = 0.005


def in_files(name):
    """PEFT's name in memory -> its name in a file, for what `make.plain` leaves."""
    name = name.removesuffix(".default").replace(".modules_to_save.", ".")
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def trainable(name):
    # In training mode, because otherwise PEFT keeps the norms of the first step.
    model = PeftModel.from_pretrained(load(ADAPTERS[name][0]), KINDS / name, is_trainable=True).train()
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    return model


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    values = json.loads((HERE / "values.json").read_text())
    batches = {"tied": values["lora_batches"], "untied": values["full_batches"]}
    found, tensors = {}, {}
    for name, (base, _, _) in ADAPTERS.items():
        loss, grads = gradients(trainable(name), batches[base][0])
        tensors |= {f"{name}.gradients.{in_files(key)}": grad for key, grad in grads.items()}
        steps = train(trainable(name), batches[base], LR)
        steps["parameter_norms"] = {in_files(key): norm for key, norm in steps["parameter_norms"].items()}
        found[name] = dict(loss=loss, training=steps)
        assert all(grad.abs().max() > 0 for grad in grads.values()), f"{name}: a gradient of zeros proves nothing"
    loss, _ = gradients(adapted("rslora", trainable=True), batches["tied"][0])
    found["rslora"] = dict(loss=loss, training=train(adapted("rslora", trainable=True), batches["tied"], LR))
    save_file(tensors, HERE / "training.safetensors")
    (HERE / "training.safetensors").chmod(0o644)
    (HERE / "training.json").write_text(json.dumps(found, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
