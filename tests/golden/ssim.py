"""Makes ssim.json with scikit-image (written with 0.26.0): pip install scikit-image && python ssim.py > ssim.json"""

import json

import numpy
import skimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def images(channels, height, width):
    """A smooth pattern and a distorted copy, both within [0, 1]; ssim_test.cpp makes the same."""
    c, i, j = numpy.meshgrid(range(channels), range(height), range(width), indexing="ij")
    x = 0.5 + 0.5 * numpy.sin(0.37 * i + 0.61 * j + c)
    y = 0.8 * x + 0.1 + 0.1 * numpy.cos(1.7 * i - 0.9 * j * c)
    return x, y


cases = []
for shape in ((1, 11, 11), (1, 28, 28), (3, 32, 20)):
    x, y = images(*shape)
    ssim = structural_similarity(
        x, y, data_range=1.0, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    psnr = peak_signal_noise_ratio(x, y, data_range=1.0)
    cases.append({"shape": list(shape), "ssim": float(ssim), "psnr": float(psnr)})
print(json.dumps({"scikit-image": skimage.__version__, "cases": cases}, indent=1))
