"""Writes what PEFT computes with virtual tokens: prompt tuning and prefix tuning of tied/.

    /tmp/golden/bin/python make_soft.py       # after make.py, whose model and batches it takes

    soft/prompt/      PromptTuningConfig, rows in the place of token embeddings
    soft/prefix/      PrefixTuningConfig, keys and values themselves
    soft/projected/   PrefixTuningConfig with prefix_projection, which PEFT saves as the keys and values that come of it
    soft.safetensors  logits, named by the adapter; gradients, and for soft/projected what its training begins with, named
                      {adapter}.{gradient or start}.{parameter}
    soft.json         trained parameters, loss, ten steps of training, greedy tokens
"""

import json
import os
import shutil
import sys
import warnings

if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file

from make import HERE, gradients, load, logits, numbers, train, trainable
from make_kinds import greedy

SOFT = HERE / "soft"
LR = 0.02
ADAPTERS = {
    "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prefix": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "projected": PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=6),
}


def named(model):
    """The trained parameters by the names they have in files, or in the encoder that makes what is in files."""
    projected = any("transform" in name for name in trainable(model))
    return {name: name if projected else "prompt_embeddings" for name in trainable(model)}


def make(name, seed):
    model = get_peft_model(load("tied"), ADAPTERS[name])
    generator = numbers(seed)
    for parameter in trainable(model).values():
        parameter.data.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(SOFT / name)
    (SOFT / name / "README.md").unlink(missing_ok=True)
    path = SOFT / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = "tied"  # PEFT writes the path it loaded from
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    return model.eval()


def own_logits(model, ids):
    """Those of tokens: PEFT gives the virtual tokens' of a prompt as well."""
    return logits(model, ids)[-len(ids):].contiguous()


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    warnings.filterwarnings("ignore")
    shutil.rmtree(SOFT, ignore_errors=True)
    values = json.loads((HERE / "values.json").read_text())
    tensors, found = {}, {}
    for seed, name in enumerate(ADAPTERS, 40):
        model = make(name, seed)  # what PEFT has read it doesn't train
        saved = PeftModel.from_pretrained(load("tied"), SOFT / name).eval()
        tensors[name] = own_logits(saved, values["ids"])
        assert (own_logits(model, values["ids"]) - tensors[name]).abs().max() < 1e-5
        names = named(model)
        if name == "projected":
            tensors |= {f"{name}.start.{names[full]}": p.detach().clone() for full, p in trainable(model).items()}
        loss, by_name = gradients(model, values["lora_batches"][0])
        tensors |= {f"{name}.gradient.{names[full]}": gradient for full, gradient in by_name.items()}
        training = train(model, values["lora_batches"], LR)
        training["parameter_norms"] = {names[full]: norm for full, norm in training["parameter_norms"].items()}
        found[name] = dict(
            parameters=sum(p.numel() for p in trainable(model).values()),
            loss=loss, training=training, greedy=greedy(saved, values["ids"]))
        assert (tensors[name] - logits(load("tied"), values["ids"])).abs().max() > 1e-2, f"{name} changes hardly anything"
    save_file(tensors, HERE / "soft.safetensors")
    (HERE / "soft.json").write_text(json.dumps(found, sort_keys=True) + "\n")
    for path in [HERE / "soft.safetensors", *SOFT.rglob("*.safetensors")]:
        path.chmod(0o644)


if __name__ == "__main__":
    main()
