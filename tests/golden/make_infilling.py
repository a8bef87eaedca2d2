"""Writes what infilling of text does to a decoder: rows of texts out of which spans are cut, and what training on them comes to.

    /tmp/golden/bin/python make_infilling.py     # after make.py, whose tied/ and lora/ it trains

    infilling.json         texts, their rows in batches, and for full training (tied) and lora the first loss and ten steps, as in values.json
    infilling.safetensors  logits of the first row, by model

A row is T5's input and target one after the other (Raffel et al., 2020, figure 2): the text with a sentinel for each span, then each
span after its sentinel, and EOS. All of the target is labelled but its first sentinel, which asks for it.
"""

import json

import torch
from safetensors.torch import save_file

from make import FULL_LR, HERE, IGNORED, LORA_LR, adapted, load, logits, loss_of, numbers, train

SENTINELS, EOS = [250, 251, 252], 249
# Of each text the lengths of what stays and what is cut out, by turns.
TEXTS = [
    [[3, 2, 4, 1, 2], [5, 3, 4], [1, 1, 6, 2, 1, 1, 2]],
    [[2, 4, 2], [4, 1, 1, 2, 3], [1, 2, 1, 2, 1, 2, 1]],
]


def laid_out(text, lengths):
    source, target, start = [], [], 0
    for number, length in enumerate(lengths):
        piece, start = text[start:start + length], start + length
        if number % 2 == 0:
            source += piece
        else:
            source.append(SENTINELS[number // 2])
            target += [SENTINELS[number // 2], *piece]
    target.append(EOS)
    return source + target, [IGNORED] * (len(source) + 1) + target[1:]


def batch(texts, lengths):
    rows = [laid_out(text, of_text) for text, of_text in zip(texts, lengths)]
    width = max(len(ids) for ids, _ in rows)
    pad = lambda values, filler: values + [filler] * (width - len(values))
    return dict(
        input_ids=[pad(ids, 0) for ids, _ in rows],
        labels=[pad(labels, IGNORED) for _, labels in rows],
        attention_mask=[pad([1] * len(ids), 0) for ids, _ in rows],
    )


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    generator = numbers(31)
    draw = lambda count: torch.randint(1, EOS, (count,), generator=generator).tolist()
    texts = [[draw(sum(lengths)) for lengths in of_batch] for of_batch in TEXTS]
    batches = [batch(*pair) for pair in zip(texts, TEXTS)]
    first = [id for id, mask in zip(batches[0]["input_ids"][0], batches[0]["attention_mask"][0]) if mask]
    models = {
        "tied": (lambda: load("tied"), FULL_LR),
        "lora": (lambda: adapted("lora", trainable=True), LORA_LR),
    }
    found = {
        name: dict(loss=loss_of(model(), batches[0]).item(), training=train(model(), batches, lr))
        for name, (model, lr) in models.items()
    }
    values = dict(
        sentinels=SENTINELS, eos=EOS, texts=texts, first=first,
        batches=[{key: of_batch[key] for key in ["input_ids", "labels"]} for of_batch in batches], trained=found,
    )
    (HERE / "infilling.json").write_text(json.dumps(values, sort_keys=True) + "\n")
    save_file({name: logits(model(), first) for name, (model, _) in models.items()}, HERE / "infilling.safetensors")
    (HERE / "infilling.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
