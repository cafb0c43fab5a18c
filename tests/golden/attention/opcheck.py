"""torch.library.opcheck of gen::flash_attention on the CPU: opcheck.py LIBGEN. Prints "ok", or exits 77 where torch cannot
be imported."""
import sys

try:
    import torch
    from torch.library import opcheck
except ImportError as missing:
    print(missing)
    sys.exit(77)

torch.ops.load_library(sys.argv[1])
op = torch.ops.gen.flash_attention.default
torch.manual_seed(0)


def heads(length, count=2, dim=16, dtype=torch.float32):
    return torch.randn(2, count, length, dim, dtype=dtype).requires_grad_()


q, k, v = heads(9, 4), heads(12), heads(12)
expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
torch.testing.assert_close(op(q, k, v)[0], expected, rtol=1e-5, atol=1e-5)
cases = [
    ((q, k, v), {}),
    ((q, k, v), dict(causal=True, scale=0.3, window_left=4, softcap=5.0)),
    ((q, k, v), dict(bias=torch.randn(1, 4, 9, 12).requires_grad_(), dropout=0.2, seed=3)),
    ((q, k, v), dict(key_padding_mask=torch.rand(2, 12) > 0.3, alibi_slopes=torch.rand(4))),
]
for arguments, options in cases:
    opcheck(op, arguments, options)
packed = dict(cu_seqlens_q=torch.tensor([0, 3, 9], dtype=torch.int32), cu_seqlens_k=torch.tensor([0, 5, 12], dtype=torch.int32),
              max_q=6, max_k=7)
opcheck(op, (torch.randn(9, 4, 16), torch.randn(12, 2, 16), torch.randn(12, 2, 16)), packed)
with torch.autocast("cpu", dtype=torch.bfloat16):
    assert op(q, k, v)[0].dtype == torch.bfloat16
print("ok")
