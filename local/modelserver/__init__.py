"""A model server for machines that cannot pull the public ``tensorflow/serving`` image.

It takes the flags of ``tensorflow_model_server``, listens on the same ports and answers with the same words,
on the C++ runtime that the TensorFlow wheel carries. It never imports TensorFlow's Python package, so that it
starts in about a second and its memory is the runtime's own.

The modules, from the bottom up::

    errors dtypes logs        words and types that everything shares
    metrics textprotos        what is counted and how Prometheus reads it; text files without generated modules
    protos                    protocol buffers, read without running ``tensorflow/__init__``
    capi tensors runtime      the C API through ctypes; sessions
    savedmodel                one loaded model version and its signatures
    flags configs             the command line; text-proto files
    states versions           what is known of every version; one version's load, leases and unload
    batchparameters           how requests are batched, as files say it
    batchtensors batchqueues  the tensors of several requests as one's; who waits for which batch
    batching                  sessions that wait for more requests before they run
    sources labels            which versions should be loaded; names for versions
    tensorprotos examples     tensors and examples out of the API's own messages
    classifying inference     what a signature offers to classify and regress calls; every call of the API
    tfrecords warmup          recorded requests, and their replay
    tflitefiles tflite        TensorFlow Lite models: the signatures in their files; interpreters
    loading                   what loading a folder consists of
    platformconfigs settings  how folders are loaded, from a file or from the command line
    manager configpolls       what makes them so; the config file, read again
    jsondocs jsonarrays       JSON as RapidJSON reads and quotes it; arrays from it
    jsoninput jsonoutput      the REST encoding of predict requests and their answers
    metadata rest restinference web   answers to REST requests; the HTTP server
    grpcservices profiler     answers to gRPC calls; the runtime's profiler behind them
    grpcserver                the gRPC server
    server                    the process

It is a development part: nothing of the operator is used here, and the operator does not know that it exists.
"""
