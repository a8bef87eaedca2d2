"""Writes what `make.py` does not: adapters of other kinds than plain LoRA, and the logits that PEFT computes with them.

    /tmp/golden/bin/python make_kinds.py      # after make.py, whose models it adapts

    kinds/dora/       DoRA on three projections of tied/ and on its tied head
    kinds/patterns/   rank_pattern, alpha_pattern, exclude_modules, layers_to_transform and layers_pattern, for tied/
    kinds/tied_head/  modules_to_save = lm_head for tied/, whose embedding stays the base's; bf16
    kinds/tied_ends/  LoRA on the embedding of tied/, saved without the base's weight
    kinds/saved/      modules_to_save = embed_tokens and lm_head for untied/
    kinds/ends/       rank-stabilised LoRA on both ends of untied/, saved with the base's weights, as PEFT does by default
    kinds.safetensors logits, each named by its adapter; `sum` is of lora and rslora, weighted 0.7 and -0.4 (combination_type="cat")
    kinds.json        greedy tokens, named in the same way
"""

import json
import os
import shutil
import sys
import warnings

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a Python set
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from make import HERE, load, logits, numbers

KINDS = HERE / "kinds"
WEIGHTS = {"lora": 0.7, "rslora": -0.4}
GREEDY_TOKENS = 6
ADAPTERS = {
    "dora": ("tied", torch.float32, dict(
        r=4, lora_alpha=6, use_dora=True, target_modules=["q_proj", "down_proj", "v_proj", "lm_head"])),
    "patterns": ("tied", torch.float32, dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "up_proj", "model.layers.0.self_attn.o_proj"],
        rank_pattern={"1.self_attn.[qk]_proj": 2, "q_proj": 3}, alpha_pattern={"up_proj": 5},
        exclude_modules=["1.self_attn.k_proj"], layers_to_transform=[1], layers_pattern="layers")),
    "tied_head": ("tied", torch.bfloat16, dict(
        r=4, lora_alpha=8, target_modules=["q_proj"], modules_to_save=["lm_head"])),
    "tied_ends": ("tied", torch.float32, dict(r=4, lora_alpha=8, target_modules=["q_proj", "embed_tokens"])),
    "saved": ("untied", torch.float32, dict(
        r=4, lora_alpha=8, target_modules=["v_proj", "lm_head"], modules_to_save=["embed_tokens", "lm_head"])),
    "ends": ("untied", torch.float32, dict(
        r=4, lora_alpha=6, use_rslora=True, target_modules=["gate_proj", "embed_tokens", "lm_head"])),
}


def change(model, seed, dtype):
    """Random numbers for all that an adapter brings: magnitudes and replaced weights stay near what they start from."""
    generator = numbers(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "lora_magnitude_vector" in name:
            value = parameter.data * (1.0 + 0.2 * noise)
        elif "modules_to_save" in name:
            value = parameter.data * (1.0 + 0.1 * noise) + 0.05 * noise
        elif "lora_" in name:
            value = 0.3 * noise
        else:
            continue
        parameter.data = value.to(torch.bfloat16).to(dtype)


def make(name, seed):
    base, dtype, settings = ADAPTERS[name]
    model = get_peft_model(load(base), LoraConfig(task_type="CAUSAL_LM", **settings))
    change(model, seed, dtype)
    copies = {"save_embedding_layers": False} if name == "tied_ends" else {}
    model.save_pretrained(KINDS / name, **copies)
    (KINDS / name / "README.md").unlink(missing_ok=True)
    path = KINDS / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = base  # PEFT writes the path it loaded from
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")


def adapted(name):
    return PeftModel.from_pretrained(load(ADAPTERS[name][0]), KINDS / name).eval()


def weighted():
    model = PeftModel.from_pretrained(load("tied"), HERE / "lora", adapter_name="lora")
    model.load_adapter(HERE / "rslora", adapter_name="rslora")
    model.add_weighted_adapter(list(WEIGHTS), list(WEIGHTS.values()), "sum", combination_type="cat")
    model.set_adapter("sum")
    return model.eval()


def greedy(model, prompt):
    """Greedy tokens; refuses a prompt whose best and second token are so close that rounding could swap them."""
    found = list(prompt)
    for _ in range(GREEDY_TOKENS):
        best = torch.topk(logits(model, found)[-1], 2)
        assert best.values[0] - best.values[1] > 1e-3, "too close: choose another seed"
        found.append(best.indices[0].item())
    return found[len(prompt):]


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*|.*save_embedding_layers.*")
    shutil.rmtree(KINDS, ignore_errors=True)
    values = json.loads((HERE / "values.json").read_text())
    ids = {"tied": values["ids"], "untied": values["long_ids"][:20]}
    for seed, name in enumerate(ADAPTERS, 20):
        make(name, seed)
    models = {name: (adapted(name), ids[base]) for name, (base, _, _) in ADAPTERS.items()}
    models["sum"] = (weighted(), ids["tied"])
    found = {name: logits(model, prompt) for name, (model, prompt) in models.items()}
    save_file(found, HERE / "kinds.safetensors")
    tokens = {name: greedy(model, prompt) for name, (model, prompt) in models.items()}
    (HERE / "kinds.json").write_text(json.dumps(tokens, sort_keys=True) + "\n")
    for path in [HERE / "kinds.safetensors", *KINDS.rglob("*.safetensors")]:
        path.chmod(0o644)
    # The tests rely on a difference from the base being visible.
    for name, (base, _, _) in {**ADAPTERS, "sum": ("tied", None, None)}.items():
        assert (found[name] - logits(load(base), ids[base])).abs().max() > 1e-2, f"{name} changes hardly anything"
        if name in ADAPTERS:
            tensors = load_file(KINDS / name / "adapter_model.safetensors")
            print(name, {key.removeprefix("base_model.model."): tuple(t.shape) for key, t in tensors.items()})


if __name__ == "__main__":
    main()
