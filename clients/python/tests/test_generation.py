"""What generations and scores tell: completions each by itself, log-probabilities, short names."""

import math

import pytest

from rootstock import RootstockError
from rootstock.inference.v1 import generation_pb2
from rootstock.inference.v1.generation_pb2 import GenerateRequest, GenerateResponse, SamplingParams, WeightedAdapter
from rootstock.results import collected

PROMPT = "Question: What does the cat do?\nAnswer:"


def test_each_of_several_completions_is_what_its_own_seed_gives(client, animals):
    drawn = {"max_tokens": 16, "temperature": 1.5, "ignore_eos": True}
    answer = client.generate(PROMPT, adapter="animals", sampling=SamplingParams(n=4, seed=7, **drawn))
    assert [completion.index for completion in answer.completions] == [0, 1, 2, 3]
    for completion in answer.completions:
        sampling = SamplingParams(seed=7 + completion.index, **drawn)
        alone = client.generate(PROMPT, adapter="animals", sampling=sampling)
        assert completion.text == alone.text
        assert completion.tokens == alone.completions[0].tokens
        assert len(completion.tokens) == completion.finished.completion_tokens == 16
        assert completion.finish_reason == "LENGTH"
    assert len({completion.text for completion in answer.completions}) == 4
    assert answer.text == answer.completions[0].text
    assert answer.finished == answer.completions[0].finished


def test_one_completion_has_no_log_probabilities_unless_they_are_asked_for(client, animals):
    answer = client.generate(PROMPT, adapter="animals", sampling=SamplingParams(max_tokens=4))
    (completion,) = answer.completions
    assert answer.text == completion.text
    assert completion.logprobs is None and completion.top_logprobs is None
    assert answer.prompt_logprobs is None


def test_each_completion_has_the_log_probabilities_of_its_own_tokens(client, animals):
    sampling = SamplingParams(max_tokens=8, temperature=1, seed=1, n=2, logprobs=3, ignore_eos=True)
    answer = client.generate(PROMPT, adapter="animals", sampling=sampling)
    scores = client.score(PROMPT, [completion.tokens for completion in answer.completions], adapter="animals")
    for completion, score in zip(answer.completions, scores.continuations, strict=True):
        assert completion.logprobs == score.logprobs
        for token, logprob, top in zip(completion.tokens, completion.logprobs, completion.top_logprobs, strict=True):
            assert len(top) == 3
            assert list(top.values()) == sorted(top.values(), reverse=True)
            assert top.get(token, logprob) == logprob <= next(iter(top.values()))


def test_log_probabilities_without_the_most_likely_ones(client, animals):
    answer = client.generate(PROMPT, adapter="animals", sampling=SamplingParams(max_tokens=4, logprobs=0))
    (completion,) = answer.completions
    assert len(completion.logprobs) == len(completion.tokens) > 0
    assert completion.top_logprobs == ()


def test_the_prompts_log_probabilities_are_those_of_its_tokens_after_the_first(client, animals):
    answer = client.generate(PROMPT, adapter="animals", sampling=SamplingParams(max_tokens=1, prompt_logprobs=2))
    prompt = answer.prompt_logprobs
    assert len(prompt.tokens) == len(prompt.logprobs) == answer.started.prompt_tokens - 1
    assert all(logprob < 0 for logprob in prompt.logprobs)
    assert all(len(top) == 2 for top in prompt.top_logprobs)


def test_what_the_adapter_was_taught_scores_higher_with_it_than_without(client, animals):
    texts = [" The cat sleeps.", " The door."]
    taught = client.score(PROMPT, texts, adapter="animals")
    untaught = client.score(PROMPT, texts, model="tiny")
    assert taught.started.adapter_digest == animals.adapter.result_digest
    assert untaught.started.adapter_digest == ""
    assert taught.continuations[0].total_logprob > untaught.continuations[0].total_logprob
    for score in (*taught.continuations, *untaught.continuations):
        assert len(score.tokens) == len(score.logprobs)
        assert math.isclose(score.total_logprob, sum(score.logprobs))
    summed = client.score(PROMPT, texts, adapter={"animals": 1.0})
    assert [bound.digest for bound in summed.started.adapters] == [animals.adapter.result_digest]


def test_what_cant_be_scored_is_refused_by_name(client, animals):
    with pytest.raises(RootstockError) as failure:
        client.score(PROMPT, [], adapter="animals")
    assert failure.value.field == "continuations"
    with pytest.raises(RootstockError, match="nobody"):
        client.score(PROMPT, [" yes"], adapter="nobody")
    with pytest.raises(ValueError, match="adapter='datasets/animals'"):
        client.score(PROMPT, [" yes"], adapter="datasets/animals")
    with pytest.raises(TypeError, match="continuations=' yes'"):
        client.score(PROMPT, " yes")


def test_a_streams_request_has_short_names_and_stays_as_it_is(client, animals):
    sampling = SamplingParams(max_tokens=2)
    weighted = [WeightedAdapter(name="animals", weight=1)]
    for names in [{"model": "tiny"}, {"adapter": "animals"}, {"model": "tiny", "adapters": weighted}]:
        request = GenerateRequest(prompt=PROMPT, sampling=sampling, **names)
        before = request.SerializeToString(deterministic=True)
        messages = list(client.stream(request))
        assert messages[0].started.base_digest == animals.base.result_digest
        assert messages[-1].WhichOneof("message") == "finished"
        assert request.SerializeToString(deterministic=True) == before
    assert "adapters/nobody" in refusal(client, GenerateRequest(prompt=PROMPT, adapter="nobody"))
    with pytest.raises(ValueError, match="adapter='datasets/animals'"):
        client.stream(GenerateRequest(prompt=PROMPT, adapter="datasets/animals"))


def test_a_completion_tells_from_where_another_version_computed():
    def told(index: int, text: str, **switched: object) -> GenerateResponse:
        return GenerateResponse(index=index, delta=generation_pb2.GenerationDelta(text=text, **switched))

    switched = generation_pb2.AdapterSwitched(adapter_generation=2, at_token=1)
    messages = [told(1, "c"), told(0, "a"), told(1, "d", switched=switched), told(0, "b")]
    answer = collected(messages, SamplingParams(n=2))
    assert [completion.text for completion in answer.completions] == ["ab", "cd"]
    assert [completion.switches for completion in answer.completions] == [(), (switched,)]


def refusal(client, request: generation_pb2.GenerateRequest) -> str:
    with pytest.raises(RootstockError) as failure:
        list(client.stream(request))
    return str(failure.value)
