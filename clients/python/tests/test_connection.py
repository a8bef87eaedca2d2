"""Which addresses a client takes, and whose its calls are."""

import urllib.request

import pytest

from rootstock import Client, RootstockError
from rootstock.channels import target
from rootstock.inference.v1 import generation_pb2
from rootstock.training.v1 import training_pb2


def test_an_address_is_taken_with_and_without_its_scheme(server, animals):
    address = server.endpoint.removeprefix("http://")
    for endpoint in [server.endpoint, f"{server.endpoint}/", address, f"dns:///{address}"]:
        with Client(endpoint) as client:
            client.generate("The cat", model="tiny", sampling=generation_pb2.SamplingParams(max_tokens=1))


def test_an_address_without_a_port_has_the_schemes():
    assert target("http://rootstock.internal") == target("rootstock.internal") == "rootstock.internal:80"
    assert target("http://[::1]:7400") == target("[::1]:7400") == "[::1]:7400"
    assert target("unix:/run/rootstock.sock") == "unix:/run/rootstock.sock"


def test_tls_is_refused_with_what_to_do_instead(server):
    with pytest.raises(ValueError, match=r"'https://127.0.0.1:7400' asks for TLS.*proxy.*http://HOST:PORT"):
        Client("https://127.0.0.1:7400")
    with pytest.raises(ValueError, match="asks for TLS"):
        Client(server.endpoint, inference="HTTPS://inference:7400")


@pytest.mark.parametrize(
    "endpoint",
    ["", "http://", ":7400", "ftp://host:1", "host name:1", "http://host:port", "http://host:99999", "http://user@host:1",
     "http://host:1/path", "http://host:1?query"],
)
def test_what_is_no_address_is_refused_with_what_to_give(endpoint):
    with pytest.raises(ValueError, match="give http://HOST:PORT"):
        Client(endpoint)


def test_generations_are_the_tenants_and_calls_of_all_kinds_work(server, animals):
    def tenants() -> str:
        with urllib.request.urlopen(server.metrics) as response:
            return "".join(line for line in response.read().decode().splitlines(True) if 'tenant="blue"' in line)

    assert not tenants()
    with Client(server.endpoint, tenant="blue") as client:
        client.wait_ready()
        sampling = generation_pb2.SamplingParams(max_tokens=2)
        client.generate("The cat", adapter="animals", sampling=sampling)
        assert 'adapter="adapters/animals"' in tenants()
        client.generation.Score(
            generation_pb2.ScoreRequest(
                model="baseModels/tiny", prompt="The", continuations=[generation_pb2.Continuation(text=" cat")]
            ),
            timeout=60,
            metadata=[("x-more", "stays")],
        )
        # Errors come through as without a tenant.
        with pytest.raises(RootstockError, match=r"^spec\.method: is missing"):
            client.train(training_pb2.TrainingSpec())
        with pytest.raises(RootstockError, match="adapters/nobody"):
            client.generate("hello", adapter="nobody")


@pytest.mark.parametrize("tenant", ["Blue", "a b", "blue\n", "-blue", "é", "x" * 64])
def test_a_tenant_is_an_id(tenant):
    with pytest.raises(ValueError, match="tenant=.* must be an id"):
        Client("http://127.0.0.1:7400", tenant=tenant)
