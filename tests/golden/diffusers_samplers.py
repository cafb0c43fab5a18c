"""Writes diffusers_samplers.json: noise schedules and sampling trajectories of diffusers' DDPMScheduler and
DDIMScheduler (made with diffusers 0.42.1, torch 2.11.0, CPU, float32).

The model is that of diffusers' own scheduler tests, f(x, t) = x t / (t + 1), from x = arange(768) / 768 as [4, 3, 8, 8];
noise comes from a CPU generator with seed 0, one torch.randn of the whole batch for each draw.

diffusers computes a step's coefficients in float32, where 1 - alpha_bar_t / alpha_bar_prev keeps three digits at the small
times of the cosine schedule. "x" and "sum_abs" come from its float32 table with the coefficients in float64;
"sum_abs_float32" is what it gives as it stands.
usage: python diffusers_samplers.py > diffusers_samplers.json"""
import json

import diffusers
import torch
from diffusers import DDIMScheduler, DDPMScheduler

SD = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
CASES = [
    (DDIMScheduler, dict(), 10, {}),
    (DDIMScheduler, dict(prediction_type="v_prediction"), 10, {}),
    (DDIMScheduler, dict(prediction_type="sample", steps_offset=1), 10, {}),
    (DDIMScheduler, dict(beta_start=0.01), 10, {}),
    (DDIMScheduler, dict(beta_start=0.01, set_alpha_to_one=False), 10, {}),
    (DDIMScheduler, dict(beta_schedule="squaredcos_cap_v2"), 10, {}),
    (DDIMScheduler, dict(beta_schedule="squaredcos_cap_v2"), 10, dict(eta=0.5)),
    (DDIMScheduler, dict(), 50, dict(eta=1.0)),
    (DDIMScheduler, dict(clip_sample_range=0.4), 10, dict(use_clipped_model_output=True)),
    (DDIMScheduler, SD | dict(set_alpha_to_one=False, steps_offset=1), 10, {}),
    (DDIMScheduler, SD | dict(set_alpha_to_one=False, steps_offset=1), 10, dict(eta=1.0)),
    (DDIMScheduler, SD | dict(set_alpha_to_one=False, timestep_spacing="trailing"), 10, {}),
    (DDIMScheduler, SD | dict(set_alpha_to_one=False, timestep_spacing="trailing"), 7, {}),
    (DDIMScheduler, SD | dict(set_alpha_to_one=False, timestep_spacing="linspace"), 10, {}),
    (DDPMScheduler, dict(), 10, {}),
    (DDPMScheduler, dict(), 1000, {}),
    (DDPMScheduler, dict(prediction_type="v_prediction"), 10, {}),
    (DDPMScheduler, dict(prediction_type="v_prediction"), 1000, {}),
    (DDPMScheduler, dict(prediction_type="sample", clip_sample=False, steps_offset=1), 10, {}),
    (DDPMScheduler, dict(variance_type="fixed_large"), 10, {}),
    (DDPMScheduler, dict(variance_type="fixed_large"), 1000, {}),
    (DDPMScheduler, dict(timestep_spacing="trailing"), 10, {}),
    (DDPMScheduler, dict(timestep_spacing="linspace"), 10, {}),
    (DDPMScheduler, dict(timestep_spacing="linspace"), 7, {}),
    (DDPMScheduler, dict(beta_schedule="squaredcos_cap_v2"), 10, {}),
    (DDPMScheduler, dict(beta_schedule="squaredcos_cap_v2"), 1000, {}),
]
TYPES = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}


def trajectory(cls, config, steps, step_args, dtype):
    scheduler = cls(**config)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(dtype)
    if cls is DDIMScheduler:
        scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.to(dtype)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    x = (torch.arange(768).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2)
    for t in scheduler.timesteps:
        x = scheduler.step(x * t / (t + 1), t, x, generator=generator, **step_args).prev_sample
    return scheduler.timesteps, x


def entry(cls, config, steps, step_args):
    timesteps, x = trajectory(cls, config, steps, step_args, torch.float64)
    _, x_float32 = trajectory(cls, config, steps, step_args, torch.float32)
    rest = dict(config)
    schedule = {"type": TYPES[rest.pop("beta_schedule", "linear")]}
    schedule |= {key: rest.pop(key) for key in ("beta_start", "beta_end") if key in rest}
    prediction = rest.pop("prediction_type", "epsilon")
    ddim = cls is DDIMScheduler
    sampler = {"type": "ddim" if ddim else "ddpm", "steps": steps, "clip_sample": True} | rest | step_args
    if ddim:
        sampler["uniform_stride"] = True
    flat = x.flatten()
    return {
        "noise_schedule": schedule,
        "sampler": sampler,
        "prediction_type": prediction,
        "timesteps": timesteps.tolist() if steps <= 50 else [],
        "sum_abs": flat.abs().sum(dtype=torch.float64).item(),
        "sum_abs_float32": x_float32.abs().sum(dtype=torch.float64).item(),
        "x": flat[::96].tolist(),
    }


def schedule(name, **config):
    values = DDPMScheduler(beta_schedule=name, **config).alphas_cumprod
    return {"type": TYPES[name], "alphas_cumprod": {str(t): values[t].item() for t in (0, 1, 500, 998, 999)}} | config


print(json.dumps({
    "made_by": f"tests/golden/diffusers_samplers.py, diffusers {diffusers.__version__}, torch {torch.__version__}",
    "schedules": [schedule("linear"), schedule("scaled_linear", beta_start=0.00085, beta_end=0.012),
                  schedule("squaredcos_cap_v2")],
    "trajectories": [entry(*case) for case in CASES],
}, indent=1))
