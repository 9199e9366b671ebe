# Prediction image of Text3DSAM: predict/, one bundle and what they import, nothing else.
#
#   TORCH    which build of torch. The default comes with CUDA 13 and cuDNN 9.20, which run BF16
#            3D convolutions right and fast: cuDNN 9.8 to 9.10 give wrong results on large inputs
#            (pytorch issue 163539), torch 2.9 runs them without cuDNN, 10 to 20 times slower
#            (166643, 174051). It needs an NVIDIA driver of series 580 or later.
#            torch==2.13.0+cpu makes a CPU image. Every file that pip installs has its hash in
#            docker/locks; docker/lock.sh makes a lock for another build.
#   TORCH_SHA256  one more hash accepted for torch, where its wheel comes from another place
#   BUNDLE   folder of the weights to bake in
ARG BASE_IMAGE=python:3.11-slim-bookworm

# This stage begins docker/train.Dockerfile too, line by line, so that both share its layers.
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

FROM packages AS trimmed
# The tool that lists what is in the image is not in it.
COPY docker/locks/sbom.txt ./locks/
RUN python3 -m venv /opt/tools && PATH=/opt/tools/bin:$PATH sh locks/install.sh sbom
COPY docker/trim.sh ./
RUN sh trim.sh /opt/venv \
    && /opt/tools/bin/cyclonedx-py environment --output-reproducible --output-file sbom.json /opt/venv
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
COPY --from=trimmed /build/sbom.json /workspace/
COPY predict.sh LICENSE docker/licences.md /workspace/
USER 1000
WORKDIR /workspace
ENV PATH=/opt/venv/bin:$PATH TEXT3DSAM_PYTHON=/opt/venv/bin/python \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
HEALTHCHECK --interval=5m --timeout=30s CMD ["python", "-m", "predict", "info"]
CMD ["/bin/bash", "-c", "sh predict.sh"]
