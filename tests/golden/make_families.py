"""Writes what `make.py` does not: a small model of each family, with all that sets the families apart, and what transformers computes.

    /tmp/golden/bin/python make_families.py

    families/llama/         biases on all projections, dynamic rope scaling, as Llama 2 has one key head per query head
    families/mistral/       a window on both layers, head_dim * heads != hidden_size, f16 file
    families/qwen2/         biases on q, k and v, tied head, yarn, a window on the second layer alone
    families/qwen3/         normed queries and keys, linear rope scaling, two shards
    families/smollm3/       a layer that does not rotate
    families/mistral_lora/  PEFT LoRA on all projections of mistral/
    families/qwen2_lora/    PEFT LoRA on the attention of qwen2/, whose projections have biases
    families/qwen3_lora/    PEFT LoRA on all projections of qwen3/
    families.safetensors    NAME.logits; NAME.gradients.PARAMETER of every parameter, adapters with those of the adapter alone
    families.json           ids, the batch, each loss, and ten steps of training each adapter, as in values.json

Logits of llama/ are computed token by token from the cache: a whole sequence longer than `max_position_embeddings` has other
frequencies for each length, and so other logits. The batch is not longer than that.
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
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from make import HERE, PROJECTIONS, gradients, load, make_batch, numbers, train

FAMILIES = HERE / "families"
SHAPE = dict(
    hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
    vocab_size=48, max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=1000.0, tie_word_embeddings=False,
    bos_token_id=0, eos_token_id=0, pad_token_id=0,
)
MODELS = {
    "llama": (torch.bfloat16, dict(
        model_type="llama", num_key_value_heads=4, head_dim=4, attention_bias=True, mlp_bias=True,
        max_position_embeddings=24, rope_scaling=dict(rope_type="dynamic", factor=2.0))),
    "mistral": (torch.float16, dict(model_type="mistral", sliding_window=5)),
    "qwen2": (torch.bfloat16, dict(
        model_type="qwen2", head_dim=4, tie_word_embeddings=True, use_sliding_window=True, sliding_window=7,
        max_window_layers=1, rope_theta=100.0,
        rope_scaling=dict(rope_type="yarn", factor=4.0, beta_fast=4.0, beta_slow=0.25, original_max_position_embeddings=32))),
    "qwen3": (torch.bfloat16, dict(
        model_type="qwen3", rope_scaling=dict(rope_type="linear", factor=2.0), sliding_window=None)),
    "smollm3": (torch.bfloat16, dict(model_type="smollm3", head_dim=4, no_rope_layers=[1, 0])),
}
ADAPTERS = {
    "qwen2_lora": ("qwen2", dict(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])),
    "qwen3_lora": ("qwen3", dict(r=2, lora_alpha=4, target_modules=PROJECTIONS)),
    "mistral_lora": ("mistral", dict(r=2, lora_alpha=4, target_modules=PROJECTIONS)),
}
LENGTH = 40
LR = 0.005


def make_model(name, seed):
    """Random weights large enough that every part matters to the logits; representable in the file's dtype."""
    dtype, settings = MODELS[name]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**SHAPE, **settings}))
    generator = numbers(seed)
    for parameter_name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in parameter_name:
            value = 1.0 + 0.2 * noise
        elif "bias" in parameter_name or "embed_tokens" in parameter_name:
            value = 0.5 * noise
        else:
            value = noise * 1.3 / parameter.shape[1] ** 0.5
        parameter.data.copy_(value.to(dtype).float())
    shards = dict(max_shard_size="9KB") if name == "qwen3" else {}
    model.to(dtype).save_pretrained(FAMILIES / name, **shards)
    (FAMILIES / name / "generation_config.json").unlink(missing_ok=True)


def make_adapter(name, seed):
    base, settings = ADAPTERS[name]
    model = get_peft_model(load(f"families/{base}"), LoraConfig(task_type="CAUSAL_LM", **settings))
    generator = numbers(seed)
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    model.save_pretrained(FAMILIES / name)
    (FAMILIES / name / "README.md").unlink(missing_ok=True)
    path = FAMILIES / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = base  # PEFT writes the path it loaded from
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")


@torch.no_grad()
def token_by_token(model, ids):
    cache, rows = None, []
    for token in ids:
        answer = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True)
        cache = answer.past_key_values
        rows.append(answer.logits[0, 0])
    return torch.stack(rows).contiguous()


@torch.no_grad()
def whole(model, ids):
    return model(torch.tensor([ids])).logits[0].contiguous()


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(FAMILIES, ignore_errors=True)
    ids = torch.randint(1, SHAPE["vocab_size"], (LENGTH,), generator=numbers(20)).tolist()
    batch = make_batch(21, SHAPE["vocab_size"], [(5, 15), (0, 11), (3, 21)])
    tensors, losses, training = {}, {}, {}

    def record(name, read):
        tensors[f"{name}.logits"] = token_by_token(read(), ids) if name == "llama" else whole(read(), ids)
        # Read anew, because dynamic frequencies stay what the longest sequence so far has made them.
        losses[name], of_parameters = gradients(read(), batch)
        tensors.update({f"{name}.gradients.{parameter}": value for parameter, value in of_parameters.items()})

    for seed, name in enumerate(MODELS, 30):
        make_model(name, seed)
        record(name, lambda: load(f"families/{name}"))
    for seed, (name, (base, _)) in enumerate(ADAPTERS.items(), 40):
        make_adapter(name, seed)
        trainable = lambda: PeftModel.from_pretrained(
            load(f"families/{base}"), FAMILIES / name, is_trainable=True).eval()
        record(name, trainable)
        training[name] = train(trainable(), [batch], LR)

    save_file(tensors, HERE / "families.safetensors")
    values = dict(ids=ids, batch=batch, loss=losses, training=training)
    (HERE / "families.json").write_text(json.dumps(values, sort_keys=True) + "\n")
    for path in [HERE / "families.safetensors", *FAMILIES.rglob("*.safetensors")]:
        path.chmod(0o644)
    print("bytes written:", sum(f.stat().st_size for f in FAMILIES.rglob("*") if f.is_file()))


if __name__ == "__main__":
    main()
