"""Client for Rootstock: trains, stores and serves thousands of adapters on one shared base model, over gRPC."""

from rootstock.client import Client, Generation
from rootstock.errors import RootstockError

__all__ = ["Client", "Generation", "RootstockError"]
