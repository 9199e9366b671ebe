#!/bin/sh
# Segment volumes from free text.
#
#   sh predict.sh                      /workspace/inputs -> /workspace/outputs where that exists,
#                                      else the synthetic examples -> outputs/
#   sh predict.sh INPUTS OUTPUTS ...   any folders; further options as of `python -m predict run`
#   sh predict.sh --set-up             only make the environment
#   sh predict.sh --doctor ...         check whether it will work here, as `python -m predict doctor`
#
# In the container image TEXT3DSAM_PYTHON names the interpreter. Elsewhere the first run makes .venv
# from requirements.txt, with the CPU build of torch where there is no GPU and pip can find it.
set -eu
caller=$PWD
cd "$(dirname "$0")"

fail() { printf 'predict.sh: %s\n' "$*" >&2; exit 2; }

install_torch() {
    wanted=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
    if ! nvidia-smi -L >/dev/null 2>&1 && [ "$(uname -s)" = Linux ]; then
        .venv/bin/pip install --quiet "$wanted+cpu" 2>/dev/null && return
        echo "pip finds no CPU build of torch, so the much larger standard one is installed" >&2
        echo "(to avoid that, add PyTorch's CPU index to pip's settings and run again)" >&2
    fi
    .venv/bin/pip install --quiet "$wanted"
}

make_environment() {
    stamp=.venv/requirements.txt
    cmp -s requirements.txt "$stamp" && return
    echo "first run: making .venv (some minutes)" >&2
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "expected python3 of version 3.11 or later, found: $(python3 --version 2>&1 || true)"
    python3 -m venv .venv || fail "python3 -m venv failed (on Debian: install python3-venv)"
    install_torch || fail "pip could not install torch"
    .venv/bin/pip install --quiet -r requirements.txt || fail "pip could not install requirements.txt"
    cp requirements.txt "$stamp"
}

python=${TEXT3DSAM_PYTHON:-}
if [ -z "$python" ]; then
    make_environment
    python=$PWD/.venv/bin/python
fi
[ "${1:-}" = --set-up ] && exit 0

# With the challenge's folders. In the image, those of another owner: see the Dockerfile.
exec_contract() {
    override=/usr/local/bin/keep-dac-override
    if [ ! -w /workspace/outputs ] || [ ! -r /workspace/inputs ]; then
        if "$override" true 2>/dev/null; then
            set -- "$override" --inh-caps +dac_override --ambient-caps +dac_override "$@"
        fi
    fi
    exec "$@"
}

command=run
if [ "${1:-}" = --doctor ]; then
    shift
    command=doctor
    [ ! -d /workspace/inputs ] || exec_contract "$python" -m predict doctor "$@"
fi
if [ $# -gt 0 ] || [ $command = doctor ]; then
    PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
    cd "$caller"
    exec "$python" -m predict $command "$@"
fi
if [ -d /workspace/inputs ]; then
    exec_contract "$python" -m predict run /workspace/inputs /workspace/outputs
fi
"$python" -m examples examples
exec "$python" -m predict run examples/inputs outputs --previews
