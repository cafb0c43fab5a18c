"""Reads a file that the test EveryDtype wrote with the reference library: python check.py FILE."""
import sys

import torch
from safetensors import safe_open

base = torch.arange(-3, 9).view(3, 4)
expected = {
    "Double": base.double(), "Float": base.float(), "Half": base.half(), "BFloat16": base.bfloat16(), "Long": base,
    "Int": base.int(), "Short": base.short(), "Char": base.to(torch.int8), "Byte": base.abs().to(torch.uint8),
    "UInt16": base.abs().to(torch.uint16), "UInt32": base.abs().to(torch.uint32), "UInt64": base.abs().to(torch.uint64),
    "ComplexFloat": base.to(torch.complex64), "Float8_e4m3fn": base.to(torch.float8_e4m3fn),
    "Float8_e5m2": base.to(torch.float8_e5m2), "bool": base > 0, "scalar": torch.tensor(2.5), "none": torch.empty(0, 3),
}
with safe_open(sys.argv[1], "pt") as file:
    assert file.metadata() == {"k": "v"}, file.metadata()
    assert set(file.keys()) == set(expected), set(file.keys()) ^ set(expected)
    for name, tensor in expected.items():
        got = file.get_tensor(name)
        assert got.dtype == tensor.dtype and got.shape == tensor.shape, name
        assert got.contiguous().view(-1).view(torch.uint8).equal(tensor.contiguous().view(-1).view(torch.uint8)) if tensor.numel() else True, name
