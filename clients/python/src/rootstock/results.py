"""What calls answer with: completions and scores as plain Python values, put together from the server's messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rootstock.inference.v1 import generation_pb2


@dataclasses.dataclass(frozen=True)
class PromptLogprobs:
    """How likely a prompt is: its tokens from the second on, each after all before it."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    top_logprobs: tuple[dict[int, float], ...]
    """The most likely tokens at each place with their log-probabilities, most likely first; empty for
    `prompt_logprobs=0`."""


@dataclasses.dataclass(frozen=True)
class Completion:
    """One text that the model went on with. The log-probabilities are natural logarithms, one entry for each of `tokens`,
    and None unless `SamplingParams.logprobs` asked for them."""

    index: int
    """Which it is of the `n` that were asked for, from 0."""
    text: str
    tokens: tuple[int, ...]
    """The ids of the tokens that were chosen; what ended the text may be among them and not in `text`."""
    logprobs: tuple[float, ...] | None
    top_logprobs: tuple[dict[int, float], ...] | None
    """The most likely tokens at each place with their log-probabilities, most likely first; empty for `logprobs=0`."""
    finish_reason: str
    """A name of rootstock.inference.v1.FinishReason without its prefix: "EOS", "STOP" or "LENGTH"."""
    finished: generation_pb2.GenerationFinished
    """The server's last message: counts of tokens and times."""
    switches: tuple[generation_pb2.AdapterSwitched, ...]
    """From where on which other version of the adapter computed, if one was published with that word meanwhile."""


@dataclasses.dataclass(frozen=True)
class Generation:
    """A finished generation: its completions, by index, and what all of them were bound to.

    There is one completion unless `SamplingParams.n` asked for more. `text` and `finished` are those of the first, so
    that the only answer needs no index; the others are in `completions` alone, and are never mixed with it.
    """

    completions: tuple[Completion, ...]
    started: generation_pb2.GenerationStarted
    prompt_logprobs: PromptLogprobs | None
    """None unless `SamplingParams.prompt_logprobs` asked for it, and for a prompt of one token."""

    @property
    def text(self) -> str:
        """The text of the only completion, or of the first: `completions[0].text`."""
        return self.completions[0].text

    @property
    def finished(self) -> generation_pb2.GenerationFinished:
        """How the only completion ended, or the first: `completions[0].finished`."""
        return self.completions[0].finished


@dataclasses.dataclass(frozen=True)
class Score:
    """How likely one continuation is: its tokens, the natural logarithm of each one's probability after all before it,
    and their sum."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    total_logprob: float


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of all continuations, in the order in which they were given, and what they were computed with."""

    continuations: tuple[Score, ...]
    started: generation_pb2.GenerationStarted


class _Draft:
    """A completion that is still being told."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.tokens: list[generation_pb2.GeneratedToken] = []
        self.switches: list[generation_pb2.AdapterSwitched] = []
        self.finished = generation_pb2.GenerationFinished()

    def add(self, delta: generation_pb2.GenerationDelta) -> None:
        self.text.append(delta.text)
        self.tokens.extend(delta.tokens)
        if delta.HasField("switched"):
            self.switches.append(delta.switched)

    def completion(self, index: int, with_logprobs: bool) -> Completion:
        name = generation_pb2.FinishReason.Name(self.finished.finish_reason)
        return Completion(
            index=index,
            text="".join(self.text),
            tokens=tuple(token.id for token in self.tokens),
            logprobs=_logprobs(self.tokens) if with_logprobs else None,
            top_logprobs=_top_logprobs(self.tokens) if with_logprobs else None,
            finish_reason=name.removeprefix("FINISH_REASON_"),
            finished=self.finished,
            switches=tuple(self.switches),
        )


def collected(
    responses: Iterable[generation_pb2.GenerateResponse], sampling: generation_pb2.SamplingParams
) -> Generation:
    """The generation that a stream's messages tell, each completion's put together from its own."""
    drafts = [_Draft() for _ in range(max(1, sampling.n))]
    started, prompt = generation_pb2.GenerationStarted(), None
    for response in responses:
        match response.WhichOneof("message"):
            case "started":
                started = response.started
            case "prompt":
                tokens = response.prompt.tokens
                ids = tuple(token.id for token in tokens)
                prompt = PromptLogprobs(ids, _logprobs(tokens), _top_logprobs(tokens))
            case "delta":
                drafts[response.index].add(response.delta)
            case "finished":
                drafts[response.index].finished = response.finished
    with_logprobs = sampling.HasField("logprobs")
    completions = tuple(draft.completion(index, with_logprobs) for index, draft in enumerate(drafts))
    return Generation(completions, started, prompt)


def scored(response: generation_pb2.ScoreResponse) -> Scores:
    """The scores that the server answered with."""
    scores = (
        Score(tuple(continuation.ids), tuple(continuation.logprobs), continuation.total_logprob)
        for continuation in response.continuations
    )
    return Scores(tuple(scores), response.started)


def _logprobs(tokens: Iterable[generation_pb2.GeneratedToken]) -> tuple[float, ...]:
    return tuple(token.logprob for token in tokens)


def _top_logprobs(tokens: Iterable[generation_pb2.GeneratedToken]) -> tuple[dict[int, float], ...]:
    tops = tuple({top.id: top.logprob for top in token.top_logprobs} for token in tokens)
    return tops if any(tops) else ()
