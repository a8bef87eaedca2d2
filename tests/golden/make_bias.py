"""Writes what PEFT computes with adapters that bring biases of their own, for qwen2/, whose queries, keys and values have some.

    /tmp/golden/bin/python make_bias.py       # after make_families.py, whose model and batch it takes

    bias/all/         LoraConfig(bias="all"): a pair on some projections, and all of the base's biases
    bias/lora_only/   LoraConfig(bias="lora_only") with DoRA: the biases of the modules with a pair
    bias.safetensors  NAME.logits, and NAME.gradients.PARAMETER of all that is trained
    bias.json         each loss
"""

import json
import os
import shutil
import sys

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a Python set
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from make import HERE, gradients, load, logits, numbers, trainable

BIAS = HERE / "bias"
BASE = "families/qwen2"
ADAPTERS = {
    "all": dict(bias="all", target_modules=["q_proj", "o_proj", "up_proj"]),
    "lora_only": dict(bias="lora_only", use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
}


def make(name, seed):
    model = get_peft_model(load(BASE), LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, **ADAPTERS[name]))
    generator = numbers(seed)
    for full, parameter in trainable(model).items():
        noise = 0.3 * torch.randn(parameter.shape, generator=generator)
        parameter.data = parameter.data + noise if full.endswith("bias") or "magnitude" in full else noise
    model.save_pretrained(BIAS / name)
    (BIAS / name / "README.md").unlink(missing_ok=True)
    path = BIAS / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = "qwen2"  # PEFT writes the path it loaded from
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(BIAS, ignore_errors=True)
    values = json.loads((HERE / "families.json").read_text())
    tensors, losses = {}, {}
    for seed, name in enumerate(ADAPTERS, 60):
        make(name, seed)
        model = PeftModel.from_pretrained(load(BASE), BIAS / name, is_trainable=True).eval()
        tensors[f"{name}.logits"] = logits(model, values["ids"])
        losses[name], by_name = gradients(model, values["batch"])
        in_files = {key.replace("vector.weight", "vector"): gradient for key, gradient in by_name.items()}
        tensors |= {f"{name}.gradients.{key}": gradient for key, gradient in in_files.items()}
        biases = [key for key in load_file(BIAS / name / "adapter_model.safetensors") if key.endswith(".bias")]
        assert biases and set(biases) <= set(by_name), f"{name} trains other biases than it saves"
        print(name, biases)
    save_file(tensors, HERE / "bias.safetensors")
    (HERE / "bias.json").write_text(json.dumps(losses, sort_keys=True) + "\n")
    for path in [HERE / "bias.safetensors", *BIAS.rglob("*.safetensors")]:
        path.chmod(0o644)


if __name__ == "__main__":
    main()
