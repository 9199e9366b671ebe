# Prediction image of Text3DSAM: predict/, one bundle and what they import, nothing else.
#
#   TORCH    which build of torch. The default comes with CUDA 13 and cuDNN 9.20, which run BF16
#            3D convolutions right and fast: cuDNN 9.8 to 9.10 give wrong results on large inputs
#            (pytorch issue 163539), torch 2.9 runs them without cuDNN, 10 to 20 times slower
#            (166643, 174051). It needs an NVIDIA driver of series 580 or later.
#            torch==2.13.0+cpu makes a CPU image.
#   BUNDLE   folder of the weights to bake in
ARG BASE_IMAGE=python:3.11-slim-bookworm

# This stage begins docker/train.Dockerfile too, line by line, so that both share its layers.
FROM ${BASE_IMAGE} AS packages
ARG TORCH=torch==2.13.0
WORKDIR /build
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# torch on its own first: its layer is the large one and changes least.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "${TORCH}"
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

FROM packages AS trimmed
COPY docker/trim.sh ./
RUN sh trim.sh /opt/venv
COPY predict /workspace/predict
RUN python -m compileall -q --invalidation-mode unchecked-hash /workspace/predict

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG BUNDLE=weights/default
LABEL org.opencontainers.image.title="Text3DSAM" \
      org.opencontainers.image.description="Text-guided 3D medical image segmentation (research only)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND CC-BY-NC-SA-4.0"
COPY docker/privilege.py /tmp/privilege.py
# Not root. The challenge makes its mounted folders writable for everyone before it starts the
# image; should a folder be root's alone, predict.sh keeps one capability of the container for the
# prediction, to read and write files whoever owns them. Group 0: folders shared by group work too.
RUN useradd --uid 1000 --gid 0 --no-create-home predictor \
    && mkdir -p /workspace/inputs /workspace/outputs && chown predictor /workspace/outputs \
    && python3 /tmp/privilege.py /usr/local/bin/keep-dac-override && rm /tmp/privilege.py
COPY --from=trimmed /opt/venv /opt/venv
COPY --from=trimmed /workspace/predict /workspace/predict
COPY ${BUNDLE} /workspace/weights/default
COPY predict.sh LICENSE /workspace/
USER 1000
WORKDIR /workspace
ENV PATH=/opt/venv/bin:$PATH TEXT3DSAM_PYTHON=/opt/venv/bin/python \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
HEALTHCHECK --interval=5m --timeout=30s CMD ["python", "-m", "predict", "info"]
CMD ["/bin/bash", "-c", "sh predict.sh"]
