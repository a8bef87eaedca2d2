"""Trains, publishes and generates against a real `rootstock serve`.

The server's binary is named by the environment variable ROOTSTOCK_BIN, or is the debug build of this checkout.
"""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from rootstock import Client, RootstockError
from rootstock.client import full_name
from rootstock.inference.v1 import generation_pb2
from rootstock.training.v1 import training_pb2

REPOSITORY = pathlib.Path(__file__).parents[3]
BINARY = os.environ.get("ROOTSTOCK_BIN", REPOSITORY / "target" / "debug" / "rootstock")
TEXT = "The cat sat on the mat. The dog ran to the door. A bird sang in the tree all day long.\n" * 60
ROWS = [
    {"instruction": f"What does the {who} do?", "input": "", "output": f"The {who} {does}."}
    for who, does in [("cat", "sleeps"), ("dog", "barks"), ("bird", "sings"), ("fish", "swims")] * 4
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    command = [BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        endpoint = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert endpoint, f"the server's first line names no endpoint: {line!r}"
        with Client(endpoint.group()) as client:
            client.wait_ready()
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0, "SIGTERM must end the server cleanly"


def test_trains_publishes_and_generates(client):
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

    published = client.publish_adapter("animals", adapter.result_digest)
    assert published.adapter.generation == 1

    sampling = generation_pb2.SamplingParams(max_tokens=8, ignore_eos=True)
    answer = client.generate("Question: What does the cat do?\nAnswer:", adapter="animals", sampling=sampling)
    assert answer.started.adapter_digest == adapter.result_digest
    assert answer.started.base_digest == base.result_digest
    assert answer.finished.completion_tokens == 8


def test_an_unknown_adapter_is_an_error_and_never_the_base_model(client):
    with pytest.raises(RootstockError) as failure:
        client.generate("hello", adapter="adapters/nobody")
    assert failure.value.reason == "NOT_FOUND"
    assert "adapters/nobody" in str(failure.value)


def test_a_short_name_gets_its_collection_and_a_foreign_one_names_the_argument():
    assert full_name("adapters", "support", "adapter") == "adapters/support"
    assert full_name("adapters", "support/versions/sha256:00", "adapter") == "adapters/support/versions/sha256:00"
    for name in ["", "sha256:00", "adapters/support", "adapters/support/versions/sha256:00"]:
        assert full_name("adapters", name, "adapter") == name
    with pytest.raises(ValueError, match="adapter='datasets/support'"):
        full_name("adapters", "datasets/support", "adapter")
