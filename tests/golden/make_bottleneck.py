"""Writes what bottleneck adapters compute beside tied/, as the `adapters` library has them (its LlamaDecoderLayerWithAdapters and
BottleneckLayer, of which this is a short form without its other features).

    /tmp/golden/bin/python make_bottleneck.py # after make.py, whose model and batches it takes

    bottleneck/houlsby/   DoubleSeqBnConfig: behind attention and feed-forward, swish
    bottleneck/pfeiffer/  SeqBnConfig: behind feed-forward, reading the residual stream, gelu
    bottleneck/parallel/  ParBnConfig: beside feed-forward, relu, scaled
    bottleneck.safetensors  logits, named by the adapter; gradients, named {adapter}.gradient.{parameter}
    bottleneck.json       trained parameters, loss, ten steps of training, greedy tokens
"""

import json
import shutil

import torch
from safetensors.torch import save_file
from torch import nn

from make import HERE, gradients, load, logits, numbers, train
from make_kinds import greedy

FOLDER = HERE / "bottleneck"
LR = 0.02
FUNCTIONS = {"relu": nn.functional.relu, "gelu": nn.functional.gelu, "swish": nn.functional.silu}
FIXED = dict(
    architecture=None, inv_adapter=None, ln_after=False, ln_before=False, original_ln_after=True, phm_layer=False,
    residual_before_ln=True, use_gating=False, leave_out=[], dropout=0.0, cross_adapter=False)
ADAPTERS = {
    "houlsby": dict(
        mh_adapter=True, output_adapter=True, original_ln_before=False, is_parallel=False, non_linearity="swish",
        reduction_factor=16, scaling=1.0),
    "pfeiffer": dict(
        mh_adapter=False, output_adapter=True, original_ln_before=True, is_parallel=False, non_linearity="gelu",
        reduction_factor=8, scaling=1.0),
    "parallel": dict(
        mh_adapter=False, output_adapter=True, original_ln_before=False, is_parallel=True, non_linearity="relu",
        reduction_factor=7, scaling=4.0),
}


class Bottleneck(nn.Module):
    def __init__(self, width, config):
        super().__init__()
        narrow = max(int(width // config["reduction_factor"]), 1)
        self.config = config
        self.adapter_down = nn.Sequential(nn.Linear(width, narrow))
        self.adapter_up = nn.Linear(narrow, width)

    def forward(self, hidden, residual):
        """The residual stream behind a block that gave `hidden`, where it was `residual` before."""
        x = hidden
        if self.config["is_parallel"]:
            x = residual
        elif self.config["original_ln_before"]:
            x = hidden + residual
        up = self.adapter_up(FUNCTIONS[self.config["non_linearity"]](self.adapter_down(x))) * self.config["scaling"]
        return (up + hidden) + residual


class Places(nn.Module):
    """What the library hangs into each layer: a block's adapters by their names."""

    def __init__(self, name, bottleneck):
        super().__init__()
        self.adapters = nn.ModuleDict({name: bottleneck})
        self.name = name

    def forward(self, hidden, residual):
        return self.adapters[self.name](hidden, residual)


def hang(layer, name, config, width):
    if config["mh_adapter"]:
        layer.attention_adapters = Places(name, Bottleneck(width, config))
    if config["output_adapter"]:
        layer.output_adapters = Places(name, Bottleneck(width, config))

    def forward(hidden_states, **rest):
        residual = hidden_states
        hidden, _ = layer.self_attn(hidden_states=layer.input_layernorm(hidden_states), **rest)
        hidden = layer.attention_adapters(hidden, residual) if config["mh_adapter"] else residual + hidden
        residual = hidden
        hidden = layer.mlp(layer.post_attention_layernorm(hidden))
        return layer.output_adapters(hidden, residual) if config["output_adapter"] else residual + hidden

    layer.forward = forward


def adapted(name, seed):
    model = load("tied").eval().requires_grad_(False)
    model.config.use_cache = False
    for layer in model.model.layers:
        hang(layer, name, ADAPTERS[name], model.config.hidden_size)
    generator = numbers(seed)
    for parameter in (p for full, p in model.named_parameters() if "_adapters." in full):
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        parameter.requires_grad_(True)
    return model


def save(name, model):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    state = {key: value.clone() for key, value in model.state_dict().items() if f".adapters.{name}." in key}
    save_file(state, folder / "adapter.safetensors", metadata={"format": "pt"})
    config = dict(
        config=FIXED | ADAPTERS[name], hidden_size=model.config.hidden_size, model_class="LlamaForCausalLM",
        model_name="tied", model_type="llama", name=name, version="adapters.1.2.0")
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    values = json.loads((HERE / "values.json").read_text())
    tensors, found = {}, {}
    for seed, name in enumerate(ADAPTERS, 50):
        model = adapted(name, seed)
        save(name, model)
        tensors[name] = logits(model, values["ids"])
        tokens = greedy(model, values["ids"])
        loss, by_name = gradients(model, values["lora_batches"][0])
        tensors |= {f"{name}.gradient.{key}": gradient for key, gradient in by_name.items()}
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        found[name] = dict(
            parameters=trained, loss=loss, training=train(model, values["lora_batches"], LR), greedy=tokens)
        assert (tensors[name] - logits(load("tied"), values["ids"])).abs().max() > 1e-2, f"{name} changes hardly anything"
    save_file(tensors, HERE / "bottleneck.safetensors")
    (HERE / "bottleneck.json").write_text(json.dumps(found, sort_keys=True) + "\n")
    for path in [HERE / "bottleneck.safetensors", *FOLDER.rglob("*.safetensors")]:
        path.chmod(0o644)


if __name__ == "__main__":
    main()
