# docker build -t trialign .
# docker run --rm -v "$PWD/runs:/app/runs" trialign fit --config conf/quickstart.yaml
# A mounted runs/ must be writable for user 1000.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 trialign && mkdir -p /app/runs && chown -R trialign /app
USER trialign
WORKDIR /app

# The dependencies are a layer of their own: a change of code does not install them again.
ARG TORCH_SPEC=
COPY --chown=trialign pyproject.toml setup.py LICENSE README.md ./
COPY --chown=trialign scripts/install.sh scripts/
COPY --chown=trialign trialign/__init__.py trialign/
COPY --chown=trialign conf/__init__.py conf/
COPY --chown=trialign dashboard/__init__.py dashboard/
RUN EXTRAS= TORCH_SPEC="$TORCH_SPEC" PIP_NO_CACHE_DIR=1 bash scripts/install.sh

COPY --chown=trialign trialign/ trialign/
COPY --chown=trialign conf/ conf/
COPY --chown=trialign dashboard/ dashboard/

ENTRYPOINT ["/app/.venv/bin/trialign"]
CMD ["--help"]
