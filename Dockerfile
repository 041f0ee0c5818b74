# docker build -t trialign .                      CPU
# docker build -t trialign --target cuda .        NVIDIA GPUs (run it with --gpus all)
# docker run --rm -v "$PWD/runs:/app/runs" trialign fit --config conf/quickstart.yaml
# docker run --rm -v "$PWD/runs:/app/runs" --network host trialign dashboard runs
# A mounted runs/ must be writable for user 1000. The dashboard listens on loopback alone: --network host, or a proxy.
FROM python:3.11.13-slim-bookworm AS base

RUN useradd --create-home --uid 1000 trialign && mkdir -p /app/runs && chown -R trialign /app
USER 1000
WORKDIR /app

# The dependencies are a layer of their own: a change of code does not install them again.
COPY --chown=1000 pyproject.toml setup.py LICENSE README.md ./
COPY --chown=1000 scripts/install.sh scripts/
COPY --chown=1000 trialign/__init__.py trialign/
COPY --chown=1000 conf/__init__.py conf/
COPY --chown=1000 dashboard/__init__.py dashboard/
ENV EXTRAS= PIP_NO_CACHE_DIR=1 PATH="/app/.venv/bin:$PATH"
ENTRYPOINT ["trialign"]
CMD ["--help"]
# A process that trains and one that serves both have to be able to load the program.
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["trialign", "--version"]

# torch's build with CUDA is the one that pip takes by itself.
FROM base AS cuda
ARG TORCH_SPEC=torch==2.13.0
RUN TORCH_SPEC="$TORCH_SPEC" bash scripts/install.sh
COPY --chown=1000 trialign/ trialign/
COPY --chown=1000 conf/ conf/
COPY --chown=1000 dashboard/ dashboard/

# The last stage is the default one.
FROM base AS cpu
ARG TORCH_SPEC=torch==2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN TORCH_SPEC="$TORCH_SPEC" PIP_EXTRA_INDEX_URL="$TORCH_INDEX" bash scripts/install.sh
COPY --chown=1000 trialign/ trialign/
COPY --chown=1000 conf/ conf/
COPY --chown=1000 dashboard/ dashboard/
