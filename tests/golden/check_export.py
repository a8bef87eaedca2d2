"""Loads what Rootstock exported in transformers and PEFT, and compares logits. Exits with 1 when they differ.

    python check_export.py BASE_DIR ADAPTER_DIR LOGITS_JSON [--tolerance 1e-4]

LOGITS_JSON is {"ids": [[...], ...], "logits": [[[...V numbers...], ...S rows...], ...]}, computed by Rootstock in f32 with
the adapter on; an optional "base_logits" of the same form is compared without the adapter. ADAPTER_DIR may be "-":
then only "base_logits" is compared. Errors are relative to the largest logit of the sequence.
"""

import argparse
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


@torch.no_grad()
def worst_error(model, ids, rows):
    assert len(ids) == len(rows) > 0, "as many sequences of logits as of ids are needed"
    worst = 0.0
    for sequence, logits in zip(ids, rows):
        expected = model(torch.tensor([sequence])).logits[0]
        actual = torch.tensor(logits, dtype=torch.float32)
        assert actual.shape == expected.shape, f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
        assert torch.isfinite(actual).all(), "a logit is not finite"
        worst = max(worst, ((actual - expected).abs().max() / expected.abs().max()).item())
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("adapter")
    parser.add_argument("logits")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()

    with open(args.logits, encoding="utf-8") as file:
        values = json.load(file)
    model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32, attn_implementation="eager").eval()
    errors = {}
    if "base_logits" in values:
        errors["base"] = worst_error(model, values["ids"], values["base_logits"])
    if args.adapter != "-":
        model = PeftModel.from_pretrained(model, args.adapter).eval()
        for name, parameter in model.named_parameters():  # a key that PEFT did not find would stay at its start: B = 0
            if "lora_B" in name:
                assert parameter.abs().max() > 0, f"{name} is zero: it was not loaded, or not trained"
        errors["adapter"] = worst_error(model, values["ids"], values["logits"])
    assert errors, "nothing to compare"
    for name, error in errors.items():
        print(f"{name}: worst relative error {error:.2e} over {len(values['ids'])} sequences")
    sys.exit(0 if max(errors.values()) <= args.tolerance else 1)


if __name__ == "__main__":
    main()
