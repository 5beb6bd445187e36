"""A small server with TensorFlow Serving's own gRPC interface."""

import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class ModelServer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves ``<base>/<name>/<version>`` on a free port, and fails on request.

    `failures` are status codes that the next calls of Predict answer with; None lets one pass.
    """

    def __init__(self, base):
        self.base, self.failures, self.delay = Path(base), [], 0.0
        self.requests, self.under_way, self.most_under_way = [], 0, 0
        self._lock, self._loaded = threading.Lock(), {}

    def __enter__(self):
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("localhost:0")
        self.address = f"localhost:{self.port}"
        self._server.start()
        return self

    def __exit__(self, *error):
        self._server.stop(0).wait()

    def _folder(self, spec, context):
        versions = [p for p in (self.base / spec.name).glob("*") if p.name.isdigit()]
        wanted = spec.version.value if spec.HasField("version") else None
        found = [p for p in versions if wanted in (None, int(p.name))]
        if not found:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found: {spec.name}")
        return max(found, key=lambda p: int(p.name))

    def GetModelMetadata(self, request, context):
        folder = self._folder(request.model_spec, context)
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in saved.meta_graphs[0].signature_def.items():
            signatures.signature_def[name].CopyFrom(signature)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    def Predict(self, request, context):
        folder = self._folder(request.model_spec, context)
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = tf.saved_model.load(str(folder))
            image = request.model_spec.signature_name == "serving_default"
            failure = self.failures.pop(0) if image and self.failures else None
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if image:
                time.sleep(self.delay)
            if failure is not None:
                context.abort(failure, "made to fail")
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            if image:
                self.requests.append(inputs["input"].shape)
            signature = self._loaded[folder].signatures[request.model_spec.signature_name]
            answer = predict_pb2.PredictResponse()
            for name, value in signature(**{k: tf.constant(v) for k, v in inputs.items()}).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return answer
        finally:
            with self._lock:
                self.under_way -= 1
