"""A typed client over the generated stubs: one or several endpoints, deadlines, resumable uploads, streams."""

from __future__ import annotations

import hashlib
import pathlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence

import grpc

from rootstock import channels, results
from rootstock.checkpoint.v1 import checkpoint_pb2, checkpoint_pb2_grpc
from rootstock.errors import typed_errors
from rootstock.inference.v1 import (
    adapter_pb2,
    adapter_pb2_grpc,
    encoder_pb2_grpc,
    evaluation_pb2_grpc,
    generation_pb2,
    generation_pb2_grpc,
)
from rootstock.tokenization.v1 import tokenization_pb2, tokenization_pb2_grpc
from rootstock.training.v1 import training_pb2, training_pb2_grpc

CHUNK_BYTES = 1 << 20
"""Bytes per message of an upload; the server's limit."""

DEFAULT_TIMEOUT = 60.0
"""Seconds after which a call that is no stream is given up."""

LOADING_TIMEOUT = 300.0
"""The same for publishing and scoring, which may have to load the base model first."""


def full_name(collection: str, name: str, argument: str) -> str:
    """The full name of what is meant: "support" is "adapters/support" where an adapter is asked for.

    Digests, versions and full names are left as they are. Raises ValueError, which names the argument, where the name
    belongs to another collection.
    """
    first, _, rest = name.partition("/")
    if not name or name.startswith("sha256:") or first == collection:
        return name
    if not rest or rest.startswith("versions/"):
        return f"{collection}/{name}"
    if rest.startswith("sha256:"):
        return name
    forms = f"a plain id, {collection}/ID, {collection}/ID/versions/DIGEST or a digest"
    raise ValueError(f"{argument}={name!r} must be {forms}")


def weighted(adapters: Mapping[str, float]) -> list[generation_pb2.WeightedAdapter]:
    """The adapters of a weighted sum, in the mapping's order."""
    return [
        generation_pb2.WeightedAdapter(name=full_name("adapters", name, "adapter"), weight=weight)
        for name, weight in adapters.items()
    ]


def continuation_of(given: str | Sequence[int]) -> generation_pb2.Continuation:
    """A continuation of a text, or of token ids."""
    if isinstance(given, str):
        return generation_pb2.Continuation(text=given)
    return generation_pb2.Continuation(ids=generation_pb2.TokenIds(ids=given))


class Client:
    """One Rootstock server. Connects on first use; safe to share between threads; `close` it or use `with`.

    `endpoint` has all services, except those that are at an address of their own: `Client(a, inference=b)`. An address is
    `http://HOST:PORT` or `HOST:PORT`, without TLS, which is a proxy's or a mesh's to add; ValueError for any other.
    `tenant` is the id of whom all calls are for, also those through the stubs: tenants have queues of their own and share
    the server by their weights. Calls without it are one tenant's. `timeout` is in seconds, for each call that is no stream.

    Names may be short where a method's argument, or a field of `stream`'s request, means one kind: `support` is
    `adapters/support` for an adapter. A TrainingSpec has full names.

    The stubs of every service are attributes (`checkpoint`, `tokenization`, `training`, `generation`, `encoders`,
    `adapters`, `evaluation`) for calls that have no method here.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        checkpoint: str = "",
        tokenization: str = "",
        training: str = "",
        inference: str = "",
        tenant: str = "",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._timeout = timeout
        self._tenant = tenant
        self._channels: dict[str, grpc.Channel] = {}
        self.checkpoint = checkpoint_pb2_grpc.CheckpointServiceStub(self._channel(checkpoint or endpoint))
        self.tokenization = tokenization_pb2_grpc.TokenizationServiceStub(self._channel(tokenization or endpoint))
        self.training = training_pb2_grpc.TrainingServiceStub(self._channel(training or endpoint))
        inferring = self._channel(inference or endpoint)
        self.generation = generation_pb2_grpc.GenerationServiceStub(inferring)
        self.encoders = encoder_pb2_grpc.EncoderServiceStub(inferring)
        self.adapters = adapter_pb2_grpc.AdapterServiceStub(inferring)
        self.evaluation = evaluation_pb2_grpc.EvaluationServiceStub(inferring)

    def _channel(self, endpoint: str) -> grpc.Channel:
        """The connection to an address; services at one address share it."""
        target = channels.target(endpoint)
        if target not in self._channels:
            self._channels[target] = channels.connect(target, self._tenant)
        return self._channels[target]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; running streams end."""
        for channel in self._channels.values():
            channel.close()

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Waits until the server answers. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        for target, channel in self._channels.items():
            try:
                grpc.channel_ready_future(channel).result(timeout=max(0.0, deadline - time.monotonic()))
            except grpc.FutureTimeoutError:
                raise TimeoutError(f"no server answered at {target} within {timeout} s") from None

    def upload_blob(self, data: bytes, path: str) -> checkpoint_pb2.BlobEntry:
        """Uploads the bytes of one file, from where an earlier try ended, unless the store has them."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with typed_errors():
            query = checkpoint_pb2.QueryWriteStatusRequest(digest=digest)
            status = self.checkpoint.QueryWriteStatus(query, timeout=self._timeout)
            complete, offset = status.complete, status.committed_bytes
            while not complete:
                chunk = checkpoint_pb2.WriteBlobRequest(
                    digest=digest, total_bytes=len(data), offset=offset, data=data[offset : offset + CHUNK_BYTES]
                )
                written = self.checkpoint.WriteBlob(chunk, timeout=self._timeout)
                complete, offset = written.complete, written.committed_bytes
        return checkpoint_pb2.BlobEntry(path=path, digest=digest, size_bytes=len(data))

    def upload_dataset(self, name: str, files: Mapping[str, bytes | pathlib.Path]) -> checkpoint_pb2.Artifact:
        """Stores a data set and points the alias `name` at it."""
        name = full_name("datasets", name, "name")
        blobs = [
            self.upload_blob(content.read_bytes() if isinstance(content, pathlib.Path) else content, path)
            for path, content in files.items()
        ]
        draft = checkpoint_pb2.Artifact(kind=checkpoint_pb2.ARTIFACT_KIND_DATASET, parent=name, blobs=blobs)
        with typed_errors():
            commit = checkpoint_pb2.CommitArtifactRequest(artifact=draft)
            artifact = self.checkpoint.CommitArtifact(commit, timeout=self._timeout).artifact
            move = checkpoint_pb2.SetAliasRequest(name=name, digest=artifact.digest, force=True)
            self.checkpoint.SetAlias(move, timeout=self._timeout)
        return artifact

    def train_tokenizer(self, name: str, dataset: str, vocab_size: int) -> tokenization_pb2.Tokenizer:
        """Trains a byte-level BPE tokenizer on a data set of text."""
        request = tokenization_pb2.TrainTokenizerRequest(
            name=full_name("tokenizers", name, "name"),
            dataset=full_name("datasets", dataset, "dataset"),
            vocab_size=vocab_size,
        )
        with typed_errors():
            return self.tokenization.TrainTokenizer(request, timeout=10 * self._timeout).tokenizer

    def create_training_job(self, spec: training_pb2.TrainingSpec) -> training_pb2.TrainingJob:
        """Creates a training job; sent again after a lost answer it doesn't create a second one."""
        request = training_pb2.CreateTrainingJobRequest(spec=spec, request_id=str(uuid.uuid4()))
        with typed_errors():
            return self.training.CreateTrainingJob(request, timeout=self._timeout).training_job

    def watch_training_job(self, name: str, *, give_up_after: float = 30.0) -> Iterator[training_pb2.TrainingEvent]:
        """Yields the job's events until it has ended, through lost connections of up to `give_up_after` seconds."""
        name, last, broken_since = full_name("trainingJobs", name, "name"), 0, None
        while True:
            request = training_pb2.WatchTrainingJobRequest(name=name, after_event_id=last)
            try:
                for response in self.training.WatchTrainingJob(request):
                    last, broken_since = response.event.event_id, None
                    yield response.event
                return
            except grpc.RpcError as error:
                broken_since = broken_since or time.monotonic()
                patient = time.monotonic() - broken_since < give_up_after
                if error.code() is not grpc.StatusCode.UNAVAILABLE or not patient:
                    with typed_errors():
                        raise
            time.sleep(0.5)

    def train(self, spec: training_pb2.TrainingSpec) -> training_pb2.TrainingJob:
        """Creates a training job and returns it when it has ended."""
        name = self.create_training_job(spec).name
        for _ in self.watch_training_job(name):
            pass
        with typed_errors():
            request = training_pb2.GetTrainingJobRequest(name=name)
            return self.training.GetTrainingJob(request, timeout=self._timeout).training_job

    def publish_adapter(self, name: str, digest: str) -> adapter_pb2.PublishAdapterResponse:
        """Makes the running server answer `name` with this version."""
        with typed_errors():
            request = adapter_pb2.PublishAdapterRequest(name=full_name("adapters", name, "name"), digest=digest)
            return self.adapters.PublishAdapter(request, timeout=max(self._timeout, LOADING_TIMEOUT))

    def stream(self, request: generation_pb2.GenerateRequest) -> Iterator[generation_pb2.GenerateResponse]:
        """Yields the messages of one generation; closing the iterator stops the work behind it. The request's names may be
        short; it is left as it is."""
        named = generation_pb2.GenerateRequest()
        named.CopyFrom(request)
        named.model = full_name("baseModels", request.model, "model")
        named.adapter = full_name("adapters", request.adapter, "adapter")
        for weighted_adapter in named.adapters:
            weighted_adapter.name = full_name("adapters", weighted_adapter.name, "adapters")
        return self._messages(named)

    def _messages(self, request: generation_pb2.GenerateRequest) -> Iterator[generation_pb2.GenerateResponse]:
        call = self.generation.Generate(request)
        try:
            with typed_errors():
                yield from call
        finally:
            call.cancel()

    def generate(
        self,
        prompt: str,
        *,
        model: str = "",
        adapter: str | Mapping[str, float] = "",
        sampling: generation_pb2.SamplingParams | None = None,
    ) -> results.Generation:
        """Generates a whole answer. The prompt goes to the model as it is: write it as the adapter was trained. Several
        adapters are summed up by weight, as in `adapter={"a": 0.5, "b": 0.5}`. `Generation.text` is the answer; with
        `sampling.n` above 1 it is the first, and `Generation.completions` has each by itself."""
        request = generation_pb2.GenerateRequest(
            model=model,
            adapter=adapter if isinstance(adapter, str) else "",
            adapters=[] if isinstance(adapter, str) else weighted(adapter),
            prompt=prompt,
            sampling=sampling,
        )
        return results.collected(self.stream(request), request.sampling)

    def score(
        self,
        prompt: str,
        continuations: Sequence[str | Sequence[int]],
        *,
        model: str = "",
        adapter: str | Mapping[str, float] = "",
    ) -> results.Scores:
        """Tells how likely each of 1 to 64 continuations is after the prompt: texts, turned into tokens by themselves with
        nothing added (so a space between prompt and text is the text's or the prompt's), or token ids. Model and adapter
        are as in `generate`."""
        if isinstance(continuations, str):
            raise TypeError(f"continuations={continuations!r} must be a sequence of texts: [{continuations!r}]")
        request = generation_pb2.ScoreRequest(
            model=full_name("baseModels", model, "model"),
            adapter=full_name("adapters", adapter, "adapter") if isinstance(adapter, str) else "",
            adapters=[] if isinstance(adapter, str) else weighted(adapter),
            prompt=prompt,
            continuations=[continuation_of(continuation) for continuation in continuations],
        )
        with typed_errors():
            return results.scored(self.generation.Score(request, timeout=max(self._timeout, LOADING_TIMEOUT)))
