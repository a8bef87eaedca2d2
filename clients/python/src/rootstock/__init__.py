"""Client for Rootstock: trains, stores and serves thousands of adapters on one shared base model, over gRPC."""

from rootstock.client import Client
from rootstock.errors import RootstockError
from rootstock.results import Completion, Generation, PromptLogprobs, Score, Scores

__all__ = ["Client", "Completion", "Generation", "PromptLogprobs", "RootstockError", "Score", "Scores"]
