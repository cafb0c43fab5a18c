"""Makes tests/golden/rotary.json: apply_rotary_pos_emb of transformers on small queries.

    python tests/golden/rotary.py > tests/golden/rotary.json      (transformers 5.23.0, torch 2.11.0)

Llama (all of a head, theta 500000), Qwen2 (with positions by batch), GPT-NeoX (a part of a head), GPT-J (a part, pairs of
neighbours).
"""
import json
import sys

import torch
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

BATCH, HEADS, LENGTH = 2, 2, 3


def query(dim):
    """[B, H, T, D] of small numbers that float32 holds exactly."""
    count = BATCH * HEADS * LENGTH * dim
    return (((torch.arange(count) * 37) % 101).float() / 64 - 0.75).view(BATCH, HEADS, LENGTH, dim)


def case(name, layout, dim, rotary_dim, theta, positions, rotated):
    return {"name": name, "layout": layout, "dim": dim, "rotary_dim": rotary_dim, "theta": theta,
            "positions": positions.tolist(), "rotated": rotated.flatten().tolist()}


def half_split(name, module, config, rotary_class, dim, rotary_dim, theta, positions):
    rotary = rotary_class(config)
    q = query(dim)
    cos, sin = rotary(q, positions)
    return case(name, "half", dim, rotary_dim, theta, positions, module.apply_rotary_pos_emb(q, q, cos, sin)[0])


def gptj(dim, rotary_dim, positions):
    table = modeling_gptj.create_sinusoidal_positions(64, rotary_dim)
    sin, cos = torch.split(table[positions], rotary_dim // 2, dim=-1)
    q = query(dim).transpose(1, 2)  # [B, T, H, D]
    rotated = modeling_gptj.apply_rotary_pos_emb(q[..., :rotary_dim], sin, cos)
    q = torch.cat([rotated, q[..., rotary_dim:]], -1).transpose(1, 2)
    return case("GPT-J", "interleaved", dim, rotary_dim, 10000.0, positions, q)


def main():
    same = torch.tensor([[0, 1, 40], [0, 1, 40]])
    by_batch = torch.tensor([[5, 6, 7], [0, 3, 1000]])
    small = {"hidden_size": 16, "num_attention_heads": 2}
    llama = modeling_llama.LlamaConfig(**small, rope_parameters={"rope_type": "default", "rope_theta": 500000.0})
    qwen2 = modeling_qwen2.Qwen2Config(**small, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    neox = modeling_gpt_neox.GPTNeoXConfig(hidden_size=20, num_attention_heads=2, rope_parameters={
        "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4})
    cases = [
        half_split("Llama", modeling_llama, llama, modeling_llama.LlamaRotaryEmbedding, 8, 8, 500000.0, same),
        half_split("Qwen2", modeling_qwen2, qwen2, modeling_qwen2.Qwen2RotaryEmbedding, 8, 8, 1000000.0, by_batch),
        half_split("GPT-NeoX", modeling_gpt_neox, neox, modeling_gpt_neox.GPTNeoXRotaryEmbedding, 10, 4, 10000.0,
                   by_batch),
        gptj(10, 6, torch.tensor([[5, 6, 7], [0, 3, 60]])),
    ]
    json.dump({"batch": BATCH, "heads": HEADS, "length": LENGTH, "cases": cases}, sys.stdout)


main()
