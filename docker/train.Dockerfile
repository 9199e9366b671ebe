# Training image of Text3DSAM: train/ and evaluate/ on the same packages as the prediction image.
#
#   docker build -f docker/train.Dockerfile -t text3dsam-train .
#   docker run --gpus all --shm-size 8g -v DATA:/data:ro -v RUNS:/runs text3dsam-train \
#       python -m train --help
#
#   TORCH, TORCH_SHA256    which build of torch, as in Dockerfile
ARG BASE_IMAGE=python:3.11-slim-bookworm

# As in Dockerfile, line by line.
FROM ${BASE_IMAGE} AS packages
ARG TORCH=torch==2.13.0
ARG TORCH_SHA256=
WORKDIR /build
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# torch on its own first: its layer is the large one and changes least.
COPY docker/install.sh docker/locks/${TORCH}.txt ./locks/
RUN sh locks/install.sh "${TORCH}" "${TORCH_SHA256}"
COPY docker/locks/requirements.txt ./locks/
RUN sh locks/install.sh requirements

FROM packages
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Text3DSAM training" \
      org.opencontainers.image.description="Training and evaluation of text-guided 3D segmentation (research only)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY docker/locks/train.txt ./locks/
RUN sh /build/locks/install.sh train
COPY predict /workspace/predict
COPY train /workspace/train
COPY evaluate /workspace/evaluate
COPY examples /workspace/examples
COPY weights /workspace/weights
COPY predict.sh requirements.txt LICENSE /workspace/
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/venv /workspace || true
# Mounted run folders belong to whoever starts it: give --user "$(id -u):$(id -g)".
RUN useradd --uid 1000 --gid 0 --no-create-home trainer && mkdir /data /runs && chown trainer /runs
USER 1000
WORKDIR /workspace
ENV TEXT3DSAM_PYTHON=/opt/venv/bin/python PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
CMD ["python", "-m", "train", "--help"]
