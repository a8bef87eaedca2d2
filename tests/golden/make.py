"""Writes the golden values beside it: what transformers and PEFT compute, for the Rust tests of model and peft to agree with.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install -r requirements.txt
    /tmp/golden/bin/python make.py            # overwrites the directories and files named below

    tied/             a Llama directory: tied head, bf16 file, head_dim * heads != hidden_size, grouped queries
    untied/           a Llama directory: own head, f32 file in shards, llama3 rope scaling
    lora/             a PEFT LoRA directory for tied/: all seven projections, f32
    rslora/           a PEFT LoRA directory for tied/: q and v only, rank-stabilised scale, bf16
    bf16.json         made by make_bf16.py: how far torch in bf16 is from torch in f32
    values.json       token ids, batches, losses, optimizer settings, greedy tokens, norms after ten steps
    *.safetensors     logits and gradients, each named by what it is of

Everything is computed in f32 on one thread with the eager attention; the same versions write the same bytes.
"""

import json
import os
import shutil
import sys
from pathlib import Path

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a Python set
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).resolve().parent
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TIED = dict(
    hidden_size=40, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=8, vocab_size=256, max_position_embeddings=128, tie_word_embeddings=True, rms_norm_eps=1e-5,
    rope_theta=10000.0,
)
# Wavelengths of 6, 63, 628 and 6283 positions: one kept, one in the smooth part, two divided by the factor.
UNTIED = dict(
    hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=8, vocab_size=64, max_position_embeddings=512, tie_word_embeddings=False, rms_norm_eps=1e-6,
    rope_theta=10000.0,
    rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=64,
    ),
)
OPTIMIZER = dict(steps=10, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, clip_norm=1.0)
LORA_LR, FULL_LR = 0.005, 0.005
GREEDY_TOKENS = 32
IGNORED = -100


def numbers(seed):
    return torch.Generator().manual_seed(seed)


def make_model(settings, seed):
    """Random weights large enough that attention, norms and gates all matter to the logits; representable in bf16."""
    model = LlamaForCausalLM(LlamaConfig(**settings, bos_token_id=0, eos_token_id=0, pad_token_id=0))
    generator = numbers(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            value = 1.0 + 0.2 * noise
        elif "embed_tokens" in name:
            value = 0.5 * noise
        else:
            value = noise * 1.3 / parameter.shape[1] ** 0.5
        parameter.data.copy_(value.to(torch.bfloat16).float())
    return model


def load(directory, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(HERE / directory, dtype=dtype, attn_implementation="eager")


def make_adapter(directory, config, seed, dtype):
    model = get_peft_model(load("tied"), config)
    generator = numbers(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            value = torch.randn(parameter.shape, generator=generator) * 0.3
            parameter.data = value.to(torch.bfloat16).to(dtype)
    model.save_pretrained(HERE / directory)
    (HERE / directory / "README.md").unlink(missing_ok=True)
    path = HERE / directory / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = "tied"  # PEFT writes the path it loaded from
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")


def adapted(directory, trainable=False):
    return PeftModel.from_pretrained(load("tied"), HERE / directory, is_trainable=trainable).eval()


def make_batch(seed, vocab, rows):
    """Right-padded rows of (prompt, answer) lengths; only answer tokens have labels. Token 0 is padding."""
    generator = numbers(seed)
    width = max(prompt + answer for prompt, answer in rows)
    batch = dict(input_ids=[], labels=[], attention_mask=[])
    for prompt, answer in rows:
        ids = torch.randint(1, vocab, (prompt + answer,), generator=generator).tolist()
        padding = width - len(ids)
        batch["input_ids"].append(ids + [0] * padding)
        batch["labels"].append([IGNORED] * prompt + ids[prompt:] + [IGNORED] * padding)
        batch["attention_mask"].append([1] * len(ids) + [0] * padding)
    return batch


def loss_of(model, batch):
    return model(**{key: torch.tensor(value) for key, value in batch.items()}).loss


def trainable(model):
    return {plain(name): p for name, p in model.named_parameters() if p.requires_grad}


def plain(name):
    """PEFT's name in memory -> its name in a file."""
    return name.replace(".default.", ".")


def gradients(model, batch):
    """The loss (mean over counted tokens) and the gradient of every trainable parameter, by its name in files."""
    model.zero_grad()
    loss = loss_of(model, batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone().contiguous() for name, p in trainable(model).items()}


def train(model, batches, lr):
    """Ten AdamW steps over the batches in turn: loss and gradient norm before each step, parameter norms at the end.
    Matrices decay, vectors (the norms) do not."""
    parameters = trainable(model)
    groups = [
        dict(params=[p for p in parameters.values() if p.dim() >= 2], weight_decay=OPTIMIZER["weight_decay"]),
        dict(params=[p for p in parameters.values() if p.dim() < 2], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=lr, betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["eps"], foreach=False,
    )
    losses, norms = [], []
    for step in range(OPTIMIZER["steps"]):
        optimizer.zero_grad()
        loss = loss_of(model, batches[step % len(batches)])
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), OPTIMIZER["clip_norm"]).item())
        optimizer.step()
    final = {name: p.detach().norm().item() for name, p in parameters.items()}
    return dict(lr=lr, losses=losses, gradient_norms=norms, parameter_norms=final)


@torch.no_grad()
def logits(model, ids):
    return model(torch.tensor([ids])).logits[0].contiguous()


@torch.no_grad()
def greedy(model, prompt):
    """Greedy tokens; refuses a prompt whose best and second token are so close that rounding could swap them."""
    ids = list(prompt)
    for _ in range(GREEDY_TOKENS):
        best = torch.topk(logits(model, ids)[-1], 2)
        first, second = best.values.tolist()
        assert first - second > 1e-2, f"{first} and {second} are too close: choose another prompt"
        ids.append(best.indices[0].item())
    generated = ids[len(prompt):]
    assert len(set(generated)) > 8, "the greedy tokens repeat themselves: choose another prompt"
    return generated


def rounded(model):
    """Every matrix rounded to bf16, the norms left alone, all computed with in f32: what loading a base as bf16 means here."""
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            parameter.data = parameter.data.to(torch.bfloat16).float()
    return model


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in ["tied", "untied", "lora", "rslora"]:
        shutil.rmtree(HERE / name, ignore_errors=True)

    make_model(TIED, 1).to(torch.bfloat16).save_pretrained(HERE / "tied")
    untied = make_model(UNTIED, 2)
    generator = numbers(3)
    for parameter in untied.parameters():  # use the bits that bf16 does not have, so that rounding shows
        parameter.data *= 1.0 + 0.004 * torch.rand(parameter.shape, generator=generator)
    untied.save_pretrained(HERE / "untied", max_shard_size="24KB")
    for name in ["tied", "untied"]:
        (HERE / name / "generation_config.json").unlink(missing_ok=True)
    make_adapter(
        "lora", LoraConfig(r=4, lora_alpha=8, target_modules=PROJECTIONS, task_type="CAUSAL_LM"), 4, torch.float32)
    make_adapter(
        "rslora",
        LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
        5, torch.bfloat16)

    ids = torch.randint(1, TIED["vocab_size"], (10,), generator=numbers(6)).tolist()
    long_ids = torch.randint(1, UNTIED["vocab_size"], (48,), generator=numbers(7)).tolist()
    lora_batches = [
        make_batch(8, TIED["vocab_size"], [(5, 6), (3, 9), (7, 2)]),
        make_batch(9, TIED["vocab_size"], [(4, 10), (6, 4), (2, 5)]),
    ]
    full_batches = [
        make_batch(10, UNTIED["vocab_size"], [(0, 16), (0, 11), (3, 7)]),
        make_batch(11, UNTIED["vocab_size"], [(0, 14), (0, 16), (2, 9)]),
    ]

    save_file({
        "tied": logits(load("tied"), ids),
        "tied.lora": logits(adapted("lora"), ids),
        "tied.rslora": logits(adapted("rslora"), ids),
        "untied": logits(load("untied"), long_ids),
        "untied.bf16": logits(rounded(load("untied")), long_ids),
    }, HERE / "logits.safetensors")

    lora_loss, lora_gradients = gradients(adapted("lora", trainable=True), lora_batches[0])
    rslora_loss, rslora_gradients = gradients(adapted("rslora", trainable=True), lora_batches[0])
    tied_loss, tied_gradients = gradients(load("tied"), lora_batches[0])
    untied_loss, untied_gradients = gradients(load("untied"), full_batches[0])
    save_file(lora_gradients, HERE / "gradients.lora.safetensors")
    save_file(rslora_gradients, HERE / "gradients.rslora.safetensors")
    save_file(tied_gradients, HERE / "gradients.tied.safetensors")
    save_file(untied_gradients, HERE / "gradients.untied.safetensors")

    values = dict(
        optimizer=OPTIMIZER, ids=ids, long_ids=long_ids, lora_batches=lora_batches, full_batches=full_batches,
        loss=dict(lora=lora_loss, rslora=rslora_loss, tied=tied_loss, untied=untied_loss),
        base_loss=loss_of(load("tied"), lora_batches[0]).item(),
        train_lora=train(adapted("lora", trainable=True), lora_batches, LORA_LR),
        train_tied=train(load("tied"), lora_batches, FULL_LR),
        train_untied=train(load("untied"), full_batches, FULL_LR),
        greedy=dict(
            tied=greedy(load("tied"), ids), lora=greedy(adapted("lora"), ids),
            rslora=greedy(adapted("rslora"), ids), untied=greedy(load("untied"), long_ids[:16]),
        ),
    )
    (HERE / "values.json").write_text(json.dumps(values, sort_keys=True) + "\n")
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)
    # The tests rely on a difference between these being visible.
    saved = load_file(HERE / "logits.safetensors")
    for a, b in [("tied", "tied.lora"), ("tied", "tied.rslora"), ("untied", "untied.bf16")]:
        assert (saved[a] - saved[b]).abs().max() > 1e-2, f"{a} and {b} hardly differ"
    print("bytes written:", sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file()))


if __name__ == "__main__":
    main()
