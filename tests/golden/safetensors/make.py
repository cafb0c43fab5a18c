"""Writes reference.safetensors with the reference library: python make.py (torch 2.11, safetensors)."""
import pathlib

import torch
from safetensors.torch import save_file

tensors = {
    "weight": torch.arange(6, dtype=torch.float32).view(2, 3) / 4,
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "bf": torch.tensor([3.0], dtype=torch.bfloat16),
    "steps": torch.tensor([-1, 1 << 40]),
    "mask": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(0.5, dtype=torch.float64),
    "bytes": torch.tensor([0, 255], dtype=torch.uint8),
    "signed": torch.tensor([-128, 127], dtype=torch.int8),
    "short": torch.tensor([-2], dtype=torch.int16),
    "int": torch.tensor([-3], dtype=torch.int32),
    "u16": torch.tensor([65535], dtype=torch.uint16),
    "u32": torch.tensor([4294967295], dtype=torch.uint32),
    "u64": torch.tensor([7], dtype=torch.uint64),
    "f8a": torch.tensor([1.0], dtype=torch.float8_e4m3fn),
    "f8b": torch.tensor([2.0], dtype=torch.float8_e5m2),
    "complex": torch.tensor([1 + 2j], dtype=torch.complex64),
}
save_file(tensors, pathlib.Path(__file__).parent / "reference.safetensors", metadata={"format": "pt"})
