# Prediction image of Text3DSAM: predict/, one bundle and what they import, nothing else.
#
#   TORCH    which build of torch: the CUDA one by default; torch==2.13.0+cpu for a CPU image
#   BUNDLE   folder of the weights to bake in
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS packages
ARG TORCH=torch==2.13.0
WORKDIR /build
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# torch on its own first: its layer is the large one and changes least.
RUN pip install --no-cache-dir "${TORCH}"
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
# What no prediction reads: headers, tests, stubs, the hub client of tokenizers, pip itself.
# Bytecode is checked against nothing at start (unchecked-hash), so it stays valid in any image store.
RUN set -eu; site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
    rm -rf "$site"/torch/test "$site"/torch/include "$site"/torch/share "$site"/torch/lib/*_test*.so; \
    find "$site"/torch/bin -type f ! -name torch_shm_manager -delete; \
    find "$site" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +; \
    find "$site" \( -name '*.a' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' \
        -o -name '*.hpp' -o -name '*.cuh' \) -delete; \
    pip uninstall --yes --quiet huggingface_hub hf-xet; \
    rm -rf "$site"/pip "$site"/pip-*.dist-info "$site"/setuptools* /opt/venv/bin/pip*; \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site" || true
COPY predict /workspace/predict
RUN python -m compileall -q --invalidation-mode unchecked-hash /workspace/predict

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG BUNDLE=weights/default
LABEL org.opencontainers.image.title="Text3DSAM" \
      org.opencontainers.image.description="Text-guided 3D medical image segmentation (research only)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND CC-BY-NC-SA-4.0"
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /workspace/predict /workspace/predict
COPY ${BUNDLE} /workspace/weights/default
COPY predict.sh LICENSE /workspace/
# Not root: the challenge makes its mounted folders writable for everyone (chmod 777) before it
# starts the image. Where yours are not, start it with --user "$(id -u):$(id -g)".
RUN useradd --uid 1000 --no-create-home predictor && mkdir -p /workspace/inputs /workspace/outputs \
    && chown predictor /workspace/outputs
USER predictor
WORKDIR /workspace
ENV PATH=/opt/venv/bin:$PATH TEXT3DSAM_PYTHON=/opt/venv/bin/python \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
HEALTHCHECK --interval=5m --timeout=30s CMD ["python", "-m", "predict", "info"]
CMD ["/bin/bash", "-c", "sh predict.sh"]
