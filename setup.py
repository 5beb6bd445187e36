import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(
    r'__version__ = "(.+?)"', (here / "n2v_tk" / "__init__.py").read_text(encoding="utf-8")
).group(1)

EXTRAS = {
    # CUDA for Linux and WSL2; there is none for TensorFlow elsewhere
    "gpu": ["tensorflow[and-cuda]>=2.18; sys_platform == 'linux'"],
    "jax": ["jax>=0.4.38"],
    "tensorboard": ["tensorboard"],
    "serving": ["tensorflow-serving-api>=2.18", "grpcio"],
    "bioimageio": ["bioimageio.spec>=0.5.7"],
    "onnx": ["tf2onnx>=1.16", "onnx>=1.16"],
    "openvino": ["openvino>=2025.0"],
    "zarr": ["zarr>=3"],
    "dask": ["zarr>=3", "distributed"],
    # bioio-czi is under the GPL
    "bio": ["bioio>=1.2", "bioio-czi", "bioio-nd2", "bioio-lif"],
    # Linux only
    "fuzz": ["atheris>=2.3; sys_platform == 'linux'"],
    "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.27"],
}

setup(
    name="n2v_tk",
    version=version,
    description="Denoise images without clean targets: Noise2Void and its relatives on Keras 3",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    keywords=(
        "denoising, self-supervised, Noise2Void, N2V2, structN2V, Noise2Noise, R2R, HQ-SSL, "
        "Deep Image Prior, CARE, microscopy, bioimage analysis, Keras, TensorFlow Serving"
    ),
    python_requires=">=3.11",
    packages=find_packages(include=["n2v_tk", "n2v_tk.*"]),
    include_package_data=True,
    install_requires=[
        "tensorflow>=2.18",
        "keras>=3.10",
        "csbdeep>=0.8.2",
        "numpy>=1.26",
        "h5py>=3.11",
        "filelock>=3.13",
        "tifffile>=2023.4.12",
        "imagecodecs>=2024.6.1",
        "matplotlib>=3.8",
        "pydantic>=2.7,<2.14",  # bioimageio.spec 0.5.12 breaks with 2.14
        "typer>=0.16",
        "rich>=13.7",
        "scikit-image>=0.22",
    ],
    extras_require={
        **EXTRAS,
        "test": [
            "pytest>=8",
            "hypothesis>=6.100",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
            "build",
            "setuptools>=64",
            "wheel",
            "bioimageio.core>=0.9.4",
            "ipykernel",
            "nbclient",
            "nbformat",
            "onnxruntime",
            "ome-zarr-models>=1",
            "playwright",
            *EXTRAS["bio"],
            *EXTRAS["dask"],
            *EXTRAS["docs"],
            *EXTRAS["jax"],
            *EXTRAS["serving"],
            *EXTRAS["onnx"],
            *EXTRAS["openvino"],
            *EXTRAS["tensorboard"],
        ],
    },
    entry_points={"console_scripts": ["n2v-tk = n2v_tk.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
