"""A real `rootstock serve` for all tests, and a model with an adapter trained on it.

The server's binary is named by the environment variable ROOTSTOCK_BIN, or is the debug build of this checkout.
"""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from rootstock import Client
from rootstock.inference.v1 import adapter_pb2
from rootstock.training.v1 import training_pb2

REPOSITORY = pathlib.Path(__file__).parents[3]
BINARY = os.environ.get("ROOTSTOCK_BIN", REPOSITORY / "target" / "debug" / "rootstock")
TEXT = "The cat sat on the mat. The dog ran to the door. A bird sang in the tree all day long.\n" * 60
ROWS = [
    {"instruction": f"What does the {who} do?", "input": "", "output": f"The {who} {does}."}
    for who, does in [("cat", "sleeps"), ("dog", "barks"), ("bird", "sings"), ("fish", "swims")] * 4
]


@dataclasses.dataclass
class Server:
    endpoint: str
    metrics: str


@dataclasses.dataclass
class Animals:
    """Jobs that have made `baseModels/tiny` and `adapters/animals`, and the adapter's publication."""

    base: training_pb2.TrainingJob
    adapter: training_pb2.TrainingJob
    published: adapter_pb2.PublishAdapterResponse


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    command = [BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        addresses = re.findall(r"http://127\.0\.0\.1:\d+[\w/]*", line)
        assert len(addresses) == 2, f"the server's first line must name endpoint and metrics: {line!r}"
        yield Server(*addresses)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, "SIGTERM must end the server cleanly"


@pytest.fixture(scope="session")
def client(server):
    with Client(server.endpoint) as client:
        client.wait_ready()
        yield client


@pytest.fixture(scope="session")
def animals(client):
    client.upload_dataset("datasets/tales", {"tales.txt": TEXT.encode()})
    rows = "\n".join(json.dumps(row) for row in ROWS).encode()
    client.upload_dataset("datasets/animals", {"animals.jsonl": rows})
    client.train_tokenizer("tokenizers/tiny", "datasets/tales", 300)
    base = client.train(
        training_pb2.TrainingSpec(
            output="baseModels/tiny",
            dataset="datasets/tales",
            new_model=training_pb2.NewModel(
                tokenizer="tokenizers/tiny",
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=128,
                tie_word_embeddings=True,
            ),
            causal=training_pb2.CausalObjective(block_size=32),
            full=training_pb2.FullMethod(),
            arguments=training_pb2.TrainingArguments(learning_rate=3e-3, max_steps=20, logging_steps=5),
        )
    )
    assert base.state == training_pb2.TRAINING_JOB_STATE_SUCCEEDED, base.error
    adapter = client.train(
        training_pb2.TrainingSpec(
            output="adapters/animals",
            dataset="datasets/animals",
            base_model="baseModels/tiny",
            supervised=training_pb2.SupervisedObjective(prompt_template="qa_en", max_length=64),
            lora=training_pb2.LoraMethod(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
            arguments=training_pb2.TrainingArguments(learning_rate=1e-2, max_steps=20, logging_steps=5),
        )
    )
    assert adapter.state == training_pb2.TRAINING_JOB_STATE_SUCCEEDED, adapter.error
    return Animals(base, adapter, client.publish_adapter("animals", adapter.result_digest))
