"""Trains, publishes and generates against a real server, and what its errors say."""

import pytest

from rootstock import RootstockError
from rootstock.client import full_name
from rootstock.inference.v1 import generation_pb2
from rootstock.training.v1 import training_pb2


def test_trains_publishes_and_generates(client, animals):
    assert animals.published.adapter.generation == 1
    sampling = generation_pb2.SamplingParams(max_tokens=8, ignore_eos=True)
    answer = client.generate("Question: What does the cat do?\nAnswer:", adapter="animals", sampling=sampling)
    assert answer.started.adapter_digest == animals.adapter.result_digest
    assert answer.started.base_digest == animals.base.result_digest
    assert answer.finished.completion_tokens == 8


def test_an_unknown_adapter_is_an_error_and_never_the_base_model(client):
    with pytest.raises(RootstockError) as failure:
        client.generate("hello", adapter="adapters/nobody")
    assert failure.value.reason == "NOT_FOUND"
    assert "adapters/nobody" in str(failure.value)


def test_an_error_says_first_which_field_is_wrong(client):
    with pytest.raises(RootstockError) as failure:
        client.train(training_pb2.TrainingSpec())
    assert failure.value.field == "spec.method"
    assert str(failure.value).startswith("spec.method: is missing; set full, lora")
    assert str(failure.value).endswith("(INVALID_FIELD)")


def test_a_short_name_gets_its_collection_and_a_foreign_one_names_the_argument():
    assert full_name("adapters", "support", "adapter") == "adapters/support"
    assert full_name("adapters", "support/versions/sha256:00", "adapter") == "adapters/support/versions/sha256:00"
    for name in ["", "sha256:00", "adapters/support", "adapters/support/versions/sha256:00"]:
        assert full_name("adapters", name, "adapter") == name
    with pytest.raises(ValueError, match="adapter='datasets/support'"):
        full_name("adapters", "datasets/support", "adapter")


def test_a_job_is_watched_by_its_short_name(client, animals):
    last = [event.event_id for event in client.watch_training_job(animals.base.name)][-1]
    short = animals.base.name.removeprefix("trainingJobs/")
    assert [event.event_id for event in client.watch_training_job(short)][-1] == last
