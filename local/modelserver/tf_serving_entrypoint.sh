#!/bin/bash
# The contract of the public image: the model's folder and name come from the environment, and any argument of the
# container overrides what is set here, because the last of equal flags wins. The server is a child of this shell.
tensorflow_model_server \
  --port=8500 \
  --rest_api_port=8501 \
  --model_name="${MODEL_NAME}" \
  --model_base_path="${MODEL_BASE_PATH}/${MODEL_NAME}" \
  "$@"
