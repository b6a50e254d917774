# The operator's image; its `inspect` command is the init container of model pods.
# The base needs python3 >= 3.11 and python3-venv (Debian's python3 will do). docs/image.md says what is promised.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# Bytecode holds neither times nor chance: the same sources make the same files.
FROM ${BASE_IMAGE} AS packages
COPY requirements/operator.txt /tmp/requirements.txt
RUN { python3 -m venv /opt/tfserving-operator \
        || { apt-get update && apt-get install -y --no-install-recommends python3-venv \
            && python3 -m venv --clear /opt/tfserving-operator; }; } \
    && /opt/tfserving-operator/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-deps --no-compile --only-binary :all: --require-hashes --requirement /tmp/requirements.txt \
    && find /opt/tfserving-operator/bin -mindepth 1 ! -name 'python*' -delete \
    && printf '%s\n' '#!/opt/tfserving-operator/bin/python' \
        'from tfserving_operator.cli import main' 'main()' > /opt/tfserving-operator/bin/tfserving-operator \
    && chmod 0755 /opt/tfserving-operator/bin/tfserving-operator \
    && cd /opt/tfserving-operator/lib/python3*/site-packages \
    && rm -rf pip pip-* setuptools setuptools-* _distutils_hack distutils-precedence.pth pkg_resources \
    && find . -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} + \
    && echo /opt/tfserving-operator/app > tfserving-operator.pth \
    && PYTHONHASHSEED=0 /opt/tfserving-operator/bin/python -m compileall -q --invalidation-mode unchecked-hash .

# Pure Python: copied rather than built, so that no build tool is fetched without a hash. A layer of its own, since it
# changes more often than the packages: an upgrade pulls a few MB.
FROM ${BASE_IMAGE} AS code
COPY operator/tfserving_operator /app/tfserving_operator
RUN find /app -name __pycache__ -prune -exec rm -rf {} + \
    && PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash \
        -s /app -p /opt/tfserving-operator/app /app

FROM ${BASE_IMAGE}
RUN echo 'tfserving-operator:x:65532:65532::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'tfserving-operator:x:65532:' >> /etc/group
COPY --from=packages /opt/tfserving-operator /opt/tfserving-operator
COPY --from=code /app /opt/tfserving-operator/app
ENV PATH=/opt/tfserving-operator/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PROMETHEUS_DISABLE_CREATED_SERIES=True
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["tfserving-operator"]
CMD ["run"]
