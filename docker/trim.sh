#!/bin/sh
# Take out of a virtual environment what no prediction reads; for the Dockerfile.
#
#   sh trim.sh VENV
#
# Kept although prediction may never call them, because libtorch_cuda links to them or cuDNN may load
# them: NCCL, NVSHMEM, cuFFT, cuSPARSELt, NVRTC, all of cuDNN.
set -eu
venv=$1
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

libraries() { find "$site" -name '*.so*' -type f -exec basename -a {} + | sort -u; }

libraries >/tmp/shipped

# The compiler of torch and what only it imports; the hub client of tokenizers.
"$venv/bin/pip" uninstall --yes --quiet triton sympy mpmath networkx Jinja2 MarkupSafe \
    huggingface_hub hf-xet fsspec filelock httpx2 httpcore2 h11 anyio idna truststore click PyYAML
# CUDA for many nodes, several GPUs in one solver, BLAS and FFT under other names, profiling.
rm -f "$site"/nvidia/nvshmem/lib/nvshmem_*.so*
# Linear algebra on a GPU, which torch loads at the first call of torch.linalg: prediction has none.
rm -f "$site"/torch/lib/libtorch_cuda_linalg.so
for name in libcusolver libcusolverMg libnvblas libcufftw libcufile_rdma libnvrtc.alt libnvrtc-builtins.alt \
    libnvperf_host libnvperf_target libpcsamplingutil libcheckpoint; do
    rm -f "$site"/nvidia/cu13/lib/"$name".so*
done
# Headers, tests, stubs, sources, programs.
rm -rf "$site"/torch/test "$site"/torch/include "$site"/torch/share "$site"/torch/lib/*_test*.so \
    "$site"/nvidia/*/include "$site"/nvidia/*/bin
find "$site"/torch/bin -type f ! -name torch_shm_manager -delete
find "$site" -type d -name tests -prune -exec rm -rf {} +
find "$site" \( -name '*.a' -o -name '*.bc' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \
    -o -name '*.h' -o -name '*.hpp' -o -name '*.cuh' \) -delete

# Nothing that is left may link to something that was taken.
libraries | sort - /tmp/shipped | uniq -u >/tmp/taken
broken=$(find "$site" -name '*.so*' -type f -exec ldd {} + 2>/dev/null |
    awk '$2 == "=>" { print $1 }' | sort -u | grep -Fx -f /tmp/taken || true)
[ -z "$broken" ] || { echo "trim.sh: still linked to, but taken:" "$broken" >&2; exit 1; }

# The installer goes last. Bytecode is checked against nothing at start (unchecked-hash), so it
# stays valid in any image store.
rm -rf "$site"/pip "$site"/pip-*.dist-info "$site"/setuptools* "$site"/_distutils_hack \
    "$site"/distutils-precedence.pth "$venv"/bin/pip*
find "$site" -name __pycache__ -prune -exec rm -rf {} +
"$venv/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site" || true
