"""Compares what `rootstock serve` answers with an adapter's directory with what its own library computes from the same files: PEFT,
or `adapters` for bottlenecks. Exits with 1 when they differ.

    python check_interop.py ROOTSTOCK BASE_DIR [ADAPTER_DIR ...] [--written] [--tolerance 1e-4]

ROOTSTOCK is the binary, BASE_DIR a model with its tokenizer as `rootstock models export` writes it, each ADAPTER_DIR what
`rootstock adapters export` writes. With --written there is also an adapter of each kind that the installed libraries write, of random
numbers. The base is multiplied as f32; compared are the natural logarithms of probabilities, those of each prompt's tokens and
of the 20 most likely ones at each place and after the last.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

try:
    import adapters
except ImportError:  # it pins another release of transformers than PEFT's newest wants, and may have an environment of its own
    adapters = None

PROMPTS = [
    "Question: colour 1?\nAnswer:",
    "Question: colour 4?\nAnswer: black",
    "The red stone lies beside the blue one, and number 0 is",
    "a",
    "Ünïcode, 1 2 3; and white\tspace.  Twice.",
]
CONFIG = "adapter_config.json"
MOST_LIKELY = 20
"""How many of the most likely tokens the server tells."""

VISIBLE = 1e-2
"""How far an adapter must move a log-probability: one that was passed over would agree with a base that it leaves alone."""

EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LORAS = {
    "lora": dict(target_modules=["q_proj", "v_proj"]),
    "rslora": dict(target_modules=EVERY, use_rslora=True),
    "dora": dict(target_modules=[*EVERY, "lm_head"], use_dora=True),
    "patterns": dict(
        target_modules=EVERY, rank_pattern={"1.self_attn.[qk]_proj": 2, "q_proj": 3}, alpha_pattern={"up_proj": 5},
        exclude_modules=["1.self_attn.k_proj"]),
    "biases": dict(target_modules=["q_proj", "o_proj"], bias="all"),  # pairs alone where the base has no biases
    "layer": dict(target_modules=["q_proj", "down_proj"], layers_to_transform=[1]),
    "saved": dict(target_modules=["v_proj"], modules_to_save=["embed_tokens", "lm_head"]),
    "ends": dict(target_modules=["gate_proj", "embed_tokens", "lm_head"]),
}
PEFT = {name: LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=6, **settings) for name, settings in LORAS.items()} | {
    "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prefix": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "projected": PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=6),
}


def bottlenecks():
    return {
        "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=4),
        "pfeiffer": adapters.SeqBnConfig(reduction_factor=4, non_linearity="gelu"),
        "parallel": adapters.ParBnConfig(reduction_factor=4),
    }


def load(base):
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()


def stir(parameters, seed):
    """Random numbers for what an adapter brings; magnitudes and replaced weights stay near what they start from."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator)
        near = "magnitude" in name or "modules_to_save" in name
        parameter.data = parameter.data * (1 + 0.1 * noise) + 0.05 * noise if near else 0.3 * noise


def write(base, folder):
    """An adapter of each kind that the installed libraries know."""
    for seed, (name, config) in enumerate(PEFT.items()):
        model = get_peft_model(load(base), config)
        stir([(name, p) for name, p in model.named_parameters() if p.requires_grad], seed)
        model.save_pretrained(folder / name)
    for seed, (name, config) in enumerate(bottlenecks().items() if adapters else [], len(PEFT)):
        model = load(base)
        adapters.init(model)
        model.add_adapter(name, config=config)
        stir([(full, p) for full, p in model.named_parameters() if f".{name}." in full], seed)
        (folder / name).mkdir(parents=True)
        model.save_adapter(str(folder / name), name, use_safetensors=True)
    return sorted(folder.iterdir())


def adapted(base, directory):
    model = load(base)
    if "peft_type" in json.loads((directory / CONFIG).read_text()):
        return PeftModel.from_pretrained(model, directory).eval()
    assert adapters, f"{directory} is a bottleneck: run with a Python that has the `adapters` library"
    adapters.init(model)
    model.set_active_adapters(model.load_adapter(str(directory), use_safetensors=True))
    return model.eval()


@torch.no_grad()
def expected(model, ids):
    """Log-probabilities after each of the ids; PEFT gives the virtual tokens' of a prompt as well."""
    return torch.log_softmax(model(torch.tensor([ids])).logits[0, -len(ids):], -1)


class Server:
    """A server of its own, multiplying as f32, with the base model stored."""

    def __init__(self, binary, base, data):
        self.binary, self.base = binary, base
        command = [binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        settings = os.environ | {"ROOTSTOCK_INFERENCE_WEIGHT_DTYPE": "f32"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=settings)
        line = self.process.stdout.readline()
        endpoint = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert endpoint, f"the server's first line names no endpoint: {line!r}"
        self.settings = os.environ | {"ROOTSTOCK_ENDPOINT": endpoint.group()}
        self.run("models", "import", base, "--name", "base")

    def close(self):
        self.process.terminate()
        self.process.wait(60)

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments], env=self.settings, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def publish(self, name, directory):
        """Imports a copy that names no base: the digest of a model that a job made covers what the store knows of that job, so that
        the same files are another artifact here."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(shutil.copytree(directory, pathlib.Path(folder) / name))
            config = json.loads((copy / CONFIG).read_text())
            config.update({label: "base" for label in ["base_model_name_or_path", "model_name"] if label in config})
            (copy / CONFIG).write_text(json.dumps(config))
            for unread in [*copy.glob("*.md"), *copy.glob("*head*")]:
                unread.unlink()
            self.run("adapters", "import", copy, "--name", name, "--base", "base")
        self.run("adapters", "publish", name)
        return ["--adapter", name]

    def answer(self, prompt, of):
        """Ids from the second on, and for each place what the server says: pairs of an id and its log-probability."""
        asked = ["--prompt", prompt, "--max-tokens", "1", "--ignore-eos", "--json"]
        asked += ["--logprobs", str(MOST_LIKELY), "--prompt-logprobs", str(MOST_LIKELY)]
        said = json.loads(self.run("generate", *asked, *of).splitlines()[-1])
        tokens = said.get("prompt_logprobs", []) + said["tokens"]
        pairs = [[(one["id"], one["logprob"]) for one in [token, *token["top_logprobs"]]] for token in tokens]
        return [token["id"] for token in said.get("prompt_logprobs", [])], pairs


def worst(server, tokenizer, of, model, plain):
    """The worst error of a log-probability over all prompts, and how far the adapter moves one from the base's."""
    error = moved = 0.0
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids
        later, places = server.answer(prompt, of)
        assert later == ids[1:], f"{prompt!r} is {ids} here, and ends with {later} there"
        assert len(places) == len(ids), f"{len(places)} places for {len(ids)} tokens"
        right = expected(model, ids)
        moved = max(moved, (right - expected(plain, ids)).abs().max().item())
        for row, pairs in zip(right, places):
            error = max(error, *(abs(row[token].item() - logprob) for token, logprob in pairs))
    return error, moved


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rootstock")
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("adapters", type=pathlib.Path, nargs="*")
    parser.add_argument("--written", action="store_true")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        directories = args.adapters + (write(args.base, folder / "written") if args.written else [])
        server = Server(args.rootstock, args.base, folder / "data")
        stack.callback(server.close)
        plain = load(args.base)
        error, _ = worst(server, tokenizer, ["--model", "base"], plain, plain)
        print(f"{args.base}: worst error {error:.1e}")
        good = error <= args.tolerance
        for number, directory in enumerate(directories):
            of = server.publish(f"a{number}", directory)
            error, moved = worst(server, tokenizer, of, adapted(args.base, directory), plain)
            shown = directory.relative_to(folder) if directory.is_relative_to(folder) else directory
            print(f"{shown}: worst error {error:.1e}; moves log-probabilities by up to {moved:.2g}", flush=True)
            good &= error <= args.tolerance and moved >= VISIBLE
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
