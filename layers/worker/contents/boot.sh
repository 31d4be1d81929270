# Starts Darkroom's worker in a container that is made for something else. bash reads this file before the script that
# it is to run, because the variable BASH_ENV names it; the container's own script begins only if this one comes back.
# Nothing of a job reaches it.

# First of all: no bash that is started later shall read it again.
unset BASH_ENV

# SageMaker starts a container with this one word. Every other bash goes on as if nothing were here.
if [ "${1:-}" = serve ]; then
    if ! command -v python >/dev/null; then
        echo "darkroom: there is no python in this container, so the worker cannot start" >&2
        exit 1
    fi
    exec python "${BASH_SOURCE[0]%/*}/start.py" serve
fi
