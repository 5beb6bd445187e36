"""Denoising with a model that a TensorFlow Serving server holds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..axes import StackLayout
from ..errors import AxesError, ConfigError, ServingError
from ..normalization import check_image, result_dtype, to_dtype
from ..prediction.predictor import TILE_PIXELS
from ..prediction.tiling import Halo, check_n_tiles, plan_tiles, tile_sides_for
from .writing import require

_ADDRESS = re.compile(
    r"(?:grpc://)?(?P<host>[^/]+:\d+)(?:/(?P<name>[^/]+)(?:/(?P<version>\d+))?)?/?"
)
_LARGEST_MESSAGE = 2**31 - 1


@dataclass(frozen=True)
class ServedDescription:
    """What a server says about a model.

    Parameters
    ----------
    n_dim : {2, 3}
    n_channel_in, n_channel_out : int
    probabilistic : bool
        Whether it gives mean and scale.
    halos : list of Halo
        What a tile needs around itself, per spatial axis.
    whole_images_only : bool
        Whether images are normalised one by one, so that their parts cannot be.
    """

    n_dim: int
    n_channel_in: int
    n_channel_out: int
    probabilistic: bool
    halos: list[Halo]
    whole_images_only: bool


class ServedModel:
    """A model on a server, with the verb `predict`.

    Large images are cut into equal tiles that overlap by what the network sees, of which several
    are under way at a time; the result equals that of `model.predict` in float32. Needs the extra
    'serving'.

    Parameters
    ----------
    address : str
        'HOST:PORT' of the server's gRPC port (8500 by default there), or
        'grpc://HOST:PORT/NAME' or 'grpc://HOST:PORT/NAME/VERSION'.
    name : str, optional
        Name of the model, if `address` does not hold it.
    version : int, optional
        Default: the latest that the server has.
    in_flight : int
        Requests under way at a time.
    timeout : float
        Seconds for one request.
    deadline : float
        Seconds for one image, all its tiles and retries together.
    retries : int
        How often a request is sent again when the server is away or busy, at growing intervals.

    Raises
    ------
    ConfigError
        For an address that cannot be read.
    ExportError
        If the extra is not installed.

    Examples
    --------
    >>> model = ServedModel("grpc://localhost:8500/my_model")  # doctest: +SKIP
    >>> model.predict(image, "YX")  # doctest: +SKIP
    """

    def __init__(
        self,
        address: str,
        name: str | None = None,
        version: int | None = None,
        in_flight: int = 4,
        timeout: float = 60.0,
        deadline: float = 3600.0,
        retries: int = 5,
    ):
        require("serving", "grpc", "tensorflow_serving.apis")
        parts = _ADDRESS.fullmatch(str(address))
        name = name or (parts and parts["name"])
        if parts is None or not name:
            raise ConfigError(
                "The address of a served model must be HOST:PORT and a name, or "
                f"grpc://HOST:PORT/NAME. Received: {address!r}, name={name!r}."
            )
        for setting, value in (("in_flight", in_flight), ("timeout", timeout),
                               ("deadline", deadline)):  # fmt: skip
            if value <= 0:
                raise ConfigError(f"{setting} must be above 0. Received: {value}.")
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.host, self.name = parts["host"], name
        self.version = version or (parts["version"] and int(parts["version"]))
        self.in_flight, self.timeout = in_flight, timeout
        self.deadline, self.retries = deadline, retries
        size = [(f"grpc.max_{way}_message_length", _LARGEST_MESSAGE) for way in ("send", "receive")]
        self._channel = grpc.insecure_channel(self.host, options=size)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._description: ServedDescription | None = None

    def __repr__(self) -> str:
        version = "" if self.version is None else f"/{self.version}"
        return f"ServedModel('grpc://{self.host}/{self.name}{version}')"

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> ServedModel:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def describe(self) -> ServedDescription:
        """Ask the server, once, what the model takes and gives.

        Raises
        ------
        ServingError
            If the server is away, has no such model or version, or the model is not of n2v_tk.
        """
        if self._description is None:
            self._description = self._ask_description()
        return self._description

    def predict(self, img: np.ndarray, axes: str, n_tiles=None, dtype=None) -> np.ndarray:
        """Denoise an image.

        Parameters
        ----------
        img : ndarray
            Noisy image in its own units, any real dtype.
        axes : str
            Axes of `img`, letters of 'STCZYX' in any order.
        n_tiles : tuple of int, optional
            Tiles per axis of `img`. By default tiles have 512 x 512 pixels.
        dtype : dtype or 'same', optional
            Of the result. Default: float32.

        Returns
        -------
        ndarray of the shape of `img`
            The denoised image (the mean, of a probabilistic model).

        Raises
        ------
        AxesError, ImageError, ConfigError
            If the image does not fit the model; nothing is sent then.
        ServingError
            If the server is away, or a tile failed in spite of retries.
        """
        img = np.asanyarray(img)
        dtype = result_dtype(dtype, img.dtype)
        layout, output = self._predict(img, axes, n_tiles)
        result = layout.from_stack(output[..., : self.describe().n_channel_out])
        return to_dtype(result, dtype)

    def predict_probabilistic(self, img: np.ndarray, axes: str, n_tiles=None):
        """Distribution of the denoised image, of a probabilistic model; see `predict`.

        Returns
        -------
        csbdeep.internals.probability.ProbabilisticPrediction
        """
        if not self.describe().probabilistic:
            raise ConfigError(
                f"predict_probabilistic needs a probabilistic model. Received: {self!r}, which "
                "gives no scale. Use predict."
            )
        from csbdeep.internals.probability import ProbabilisticPrediction

        layout, output = self._predict(np.asanyarray(img), axes, n_tiles)
        mean, scale = np.split(output, 2, axis=-1)
        return ProbabilisticPrediction(layout.from_stack(mean), layout.from_stack(scale))

    def check(self, img: np.ndarray, axes: str, n_tiles=None, look: bool = True) -> StackLayout:
        """Refuse what `predict` could not work with, without sending it.

        `look` is whether to look at the pixels.
        """
        model = self.describe()
        layout = StackLayout.of(img, axes, model.n_dim)
        if layout.n_channels != model.n_channel_in:
            raise AxesError(
                f"The model on the server takes {model.n_channel_in} channel(s). Received: "
                f"{layout.n_channels} channel(s) in an image with shape {img.shape} and axes "
                f"{layout.axes}."
            )
        check_image(img, look=look)
        if n_tiles is not None:
            counts = check_n_tiles(n_tiles, layout.axes)
            if model.whole_images_only and max(counts.values()) > 1:
                raise ConfigError(
                    "The model on the server normalises every image by itself, so images cannot be "
                    f"cut. Received: n_tiles={tuple(n_tiles)}. Leave n_tiles out."
                )
        return layout

    def _predict(self, img, axes, n_tiles):
        from csbdeep.data import PadAndCropResizer

        layout = self.check(img, axes, n_tiles)
        model = self.describe()
        stack = layout.to_stack(img)
        resizer = PadAndCropResizer()
        stack_axes = "S" + "ZYXC"[-model.n_dim - 1 :]
        divide_by = (1, *(h.divisor for h in model.halos), 1)
        if model.whole_images_only:
            padded, tile_sides = stack, stack.shape[1:-1]
        else:
            padded = resizer.before(stack, stack_axes, divide_by)
            counts = None
            if n_tiles is not None:
                by_axis = check_n_tiles(n_tiles, layout.axes)
                counts = [by_axis[a] for a in layout.spatial_axes]
            tile_sides = tile_sides_for(
                padded.shape[1:-1], model.halos, counts, TILE_PIXELS[model.n_dim]
            )
        tiles = plan_tiles(padded.shape[1:-1], tile_sides, model.halos)
        jobs = [(sample, tile) for sample in range(len(padded)) for tile in tiles]
        n_out = model.n_channel_out * (2 if model.probabilistic else 1)
        output = np.empty((*padded.shape[:-1], n_out), np.float32)
        inputs = (padded[(sample, *tile.read)][np.newaxis] for sample, tile in jobs)
        for (sample, tile), result in zip(jobs, self._send_all(inputs), strict=True):
            output[(sample, *tile.write)] = result[0][tile.keep]
        if not model.whole_images_only:
            output = resizer.after(output, stack_axes)
        return layout, output

    def _send_all(self, inputs) -> Iterator[np.ndarray]:
        """Results in the order of the inputs, with several requests under way."""
        until = time.monotonic() + self.deadline
        stop = threading.Event()
        with ThreadPoolExecutor(self.in_flight) as pool:
            waiting = []
            try:
                for number, tile in enumerate(inputs):
                    waiting.append(pool.submit(self._send, tile, number, until, stop))
                    if len(waiting) > self.in_flight:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                stop.set()
                for future in waiting:
                    future.cancel()

    def _send(self, tile, number, until, stop):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._fill(request.model_spec, "serving_default")
        request.inputs["input"].CopyFrom(tf.make_tensor_proto(np.asarray(tile, np.float32)))
        answer = self._call(self._stub.Predict, request, f"tile {number + 1}", until, stop)
        names = ("mean", "scale") if self.describe().probabilistic else ("output",)
        try:
            parts = [tf.make_ndarray(answer.outputs[name]) for name in names]
        except (KeyError, TypeError, ValueError) as error:
            raise ServingError(
                f"The server gave no {' and '.join(names)}. Received: {sorted(answer.outputs)} "
                f"from {self!r}."
            ) from error
        result = np.concatenate(parts, axis=-1)
        if result.shape[:-1] != tile.shape[:-1]:
            raise ServingError(
                f"The server gave a result of another size. Received: {result.shape} for a tile "
                f"of {tile.shape} from {self!r}."
            )
        return result

    def _fill(self, model_spec, signature):
        model_spec.name = self.name
        model_spec.signature_name = signature
        if self.version is not None:
            model_spec.version.value = self.version

    def _call(self, method, request, what, until, stop=None):
        """One request, sent again at growing intervals while that may help."""
        import grpc

        passing = {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.ABORTED,
        }
        for attempt in range(self.retries + 1):
            left = until - time.monotonic()
            if stop is not None and stop.is_set():
                raise ServingError(
                    "No further tile is asked for. Received: another tile that failed. Its error "
                    "says what to do."
                )
            try:
                return method(request, timeout=max(0.001, min(self.timeout, left)))
            except grpc.RpcError as error:
                wait = min(0.1 * 2**attempt, 10.0)
                last = attempt == self.retries or left <= wait
                if error.code() not in passing or last:
                    raise self._explain(error, what, attempt + 1) from None
                time.sleep(wait)
        raise AssertionError

    def _explain(self, error, what, attempts):
        import grpc

        received = f"{error.code().name}: {error.details()} for {what} of {self!r}"
        remedies = {
            grpc.StatusCode.UNAVAILABLE: (
                f"The server did not answer in {attempts} attempt(s)",
                "Is it running, and is this its gRPC port (8500, not 8501)?",
            ),
            grpc.StatusCode.NOT_FOUND: (
                "The server has no such model or version",
                "Look at http://HOST:8501/v1/models/NAME for what it has.",
            ),
            grpc.StatusCode.DEADLINE_EXCEEDED: (
                "The server took too long",
                f"Allow more than timeout={self.timeout} and deadline={self.deadline} seconds, or "
                "cut smaller tiles with n_tiles.",
            ),
            grpc.StatusCode.RESOURCE_EXHAUSTED: (
                "The server has no room",
                "Cut smaller tiles with n_tiles, or send fewer at a time with in_flight.",
            ),
        }
        problem, remedy = remedies.get(
            error.code(), ("The server failed", "See its log; nothing was written.")
        )
        return ServingError(f"{problem}. Received: {received}. {remedy}")

    def _ask_description(self):
        import tensorflow as tf
        from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

        until = time.monotonic() + self.deadline
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._fill(request.model_spec, "")
        request.metadata_field.append("signature_def")
        answer = self._call(self._stub.GetModelMetadata, request, "the description", until)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        signatures = signatures.signature_def
        if not {"serving_default", "tiling"} <= set(signatures):
            raise ServingError(
                f"The model on the server was not exported by n2v_tk. Received: signatures "
                f"{sorted(signatures)} from {self!r}. Export it with n2v-tk export MODEL --to "
                "serving -o PATH."
            )
        request = predict_pb2.PredictRequest()
        self._fill(request.model_spec, "tiling")
        answer = self._call(self._stub.Predict, request, "the description", until)
        tiling = {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}
        signature = signatures["serving_default"]
        probabilistic = "mean" in signature.outputs
        channels_in = signature.inputs["input"].tensor_shape.dim
        channels_out = signature.outputs["mean" if probabilistic else "output"].tensor_shape.dim
        divisor = int(tiling["divisor"])
        return ServedDescription(
            n_dim=len(channels_in) - 2,
            n_channel_in=channels_in[-1].size,
            n_channel_out=channels_out[-1].size,
            probabilistic=probabilistic,
            halos=[Halo(int(left), int(right), divisor) for left, right in tiling["reach"]],
            whole_images_only=bool(tiling["whole_images_only"]),
        )
