"""Writes what `make.py` does not: two small BERTs, and what transformers computes with them.

    /tmp/golden/bin/python make_bert.py

    bert/masked_lm/       BertForMaskedLM, bf16 file
    bert/classification/  BertForSequenceClassification with three labels, f32 file
    bert.safetensors      NAME.logits, row after row without padding; NAME.gradients.PARAMETER of every parameter
    bert.json             the rows with their kinds of tokens, the labels, each loss, and ten steps as in values.json

Nothing is dropped: the models are in evaluation while their gradients are computed.
"""

import json
import shutil

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from make import HERE, IGNORED, numbers, train

BERT = HERE / "bert"
SHAPE = dict(
    vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=24, type_vocab_size=2, pad_token_id=0, layer_norm_eps=1e-12,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)
MODELS = {
    "masked_lm": (BertForMaskedLM, torch.bfloat16, {}),
    "classification": (BertForSequenceClassification, torch.float32, dict(
        id2label={0: "no", 1: "yes", 2: "both"}, label2id={"no": 0, "yes": 1, "both": 2})),
}
LENGTHS = [13, 24, 5]
LR = 0.005


def make_model(name, seed):
    kind, dtype, settings = MODELS[name]
    model = kind(BertConfig(**SHAPE, **settings))
    generator = numbers(seed)
    for parameter_name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "LayerNorm.weight" in parameter_name:
            value = 1.0 + 0.2 * noise
        elif "bias" in parameter_name or "embeddings" in parameter_name:
            value = 0.5 * noise
        else:
            value = noise * 1.3 / parameter.shape[1] ** 0.5
        parameter.data.copy_(value.to(torch.bfloat16).float())
    model.to(dtype).save_pretrained(BERT / name)
    (BERT / name / "generation_config.json").unlink(missing_ok=True)
    return kind.from_pretrained(BERT / name, dtype=torch.float32, attn_implementation="eager").eval()


def padded(rows, filling):
    return torch.tensor([row + [filling] * (max(LENGTHS) - len(row)) for row in rows])


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(BERT, ignore_errors=True)
    generator = numbers(50)
    ids = [torch.randint(1, SHAPE["vocab_size"], (length,), generator=generator).tolist() for length in LENGTHS]
    types = [[int(position > length // 2) for position in range(length)] for length in LENGTHS]
    masked = [[token if position % 4 == 1 else IGNORED for position, token in enumerate(row)] for row in ids]
    labels = dict(masked_lm=masked, classification=[2, 0, 1])
    inputs = dict(
        input_ids=padded(ids, 0), token_type_ids=padded(types, 0),
        attention_mask=padded([[1] * length for length in LENGTHS], 0))
    tensors, losses, training = {}, {}, {}
    for seed, name in enumerate(MODELS, 60):
        model = make_model(name, seed)
        target = padded(masked, IGNORED) if name == "masked_lm" else torch.tensor(labels[name])
        answer = model(**inputs, labels=target)
        answer.loss.backward()
        losses[name] = answer.loss.item()
        logits = answer.logits.detach()
        if name == "masked_lm":
            logits = torch.cat([row[:length] for row, length in zip(logits, LENGTHS)])
        tensors[f"{name}.logits"] = logits.contiguous()
        tensors.update({f"{name}.gradients.{n}": p.grad.clone() for n, p in model.named_parameters()})
        batch = {key: value.tolist() for key, value in (inputs | dict(labels=target)).items()}
        training[name] = train(model, [batch], LR)
    save_file(tensors, HERE / "bert.safetensors")
    values = dict(ids=ids, types=types, labels=labels, loss=losses, training=training)
    (HERE / "bert.json").write_text(json.dumps(values, sort_keys=True) + "\n")
    for path in [HERE / "bert.safetensors", *BERT.rglob("*.safetensors")]:
        path.chmod(0o644)


if __name__ == "__main__":
    main()
