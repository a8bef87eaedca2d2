"""Writes the generated code of the contract anew: `pip install grpcio-tools==1.75.1`, then `python generate.py`."""

import pathlib
import sys

import grpc_tools
from grpc_tools import protoc

here = pathlib.Path(__file__).parent
proto = here.parent.parent / "proto"
out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "src"
well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
sources = sorted(str(p.relative_to(proto)) for p in (proto / "rootstock").rglob("*.proto"))
if protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}", *sources]):
    sys.exit("protoc failed")
for folder in {(out / source).parent for source in sources}:
    while folder != out / "rootstock":
        (folder / "__init__.py").touch()
        folder = folder.parent
