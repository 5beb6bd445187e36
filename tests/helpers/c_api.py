"""Run a SavedModel with TensorFlow's C API: the loader that TensorFlow Serving and Fiji use.

c_api.py LIBRARIES SAVED_MODEL INPUT.npy INPUT_NAME OUT.npy OUTPUT_NAME

LIBRARIES are opened in order, with os.pathsep between them; the last has the C API. TensorFlow
is not imported.
"""

import ctypes
import os
import sys

import numpy as np


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def open_libraries(paths):
    *first, last = paths
    for path in first:
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL | os.RTLD_LAZY)
    api = ctypes.CDLL(last, mode=os.RTLD_LAZY)
    for name in (
        "TF_NewGraph", "TF_NewStatus", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel",
        "TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData",
    ):  # fmt: skip
        getattr(api, name).restype = ctypes.c_void_p
    api.TF_Message.restype = api.TF_Version.restype = ctypes.c_char_p
    api.TF_Dim.restype = ctypes.c_int64
    return api


def main(libraries, folder, source, input_name, target, output_name):
    api = open_libraries(libraries.split(os.pathsep))
    pointer = ctypes.c_void_p
    status, graph = pointer(api.TF_NewStatus()), pointer(api.TF_NewGraph())

    def check():
        if api.TF_GetCode(status):
            sys.exit(f"TensorFlow {api.TF_Version()}: {api.TF_Message(status)}")

    tags = (ctypes.c_char_p * 1)(b"serve")
    options = pointer(api.TF_NewSessionOptions())
    session = pointer(
        api.TF_LoadSessionFromSavedModel(
            options, None, folder.encode(), tags, 1, graph, None, status
        )
    )
    check()

    def tensor(name):
        operation, index = name.split(":")
        found = api.TF_GraphOperationByName(graph, operation.encode())
        assert found, name
        return Output(found, int(index))

    image = np.ascontiguousarray(np.load(source), np.float32)
    dims = (ctypes.c_int64 * image.ndim)(*image.shape)
    fed = pointer(api.TF_AllocateTensor(1, dims, image.ndim, ctypes.c_size_t(image.nbytes)))
    ctypes.memmove(api.TF_TensorData(fed), image.ctypes.data, image.nbytes)
    result = pointer()
    api.TF_SessionRun(
        session, None, ctypes.byref(tensor(input_name)), ctypes.byref(fed), 1,
        ctypes.byref(tensor(output_name)), ctypes.byref(result), 1, None, 0, None, status,
    )  # fmt: skip
    check()
    shape = [api.TF_Dim(result, i) for i in range(api.TF_NumDims(result))]
    values = np.empty(shape, np.float32)
    ctypes.memmove(values.ctypes.data, api.TF_TensorData(result), values.nbytes)
    np.save(target, values)
    print(api.TF_Version().decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
