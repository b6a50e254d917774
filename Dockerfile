# The operator's image; its `inspect` command is the init container of model pods.
# The base needs python3 >= 3.11 and python3-venv (Debian's python3 will do).
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
COPY requirements/operator.txt /tmp/requirements.txt
RUN { python3 -m venv /opt/tfserving-operator \
        || { apt-get update && apt-get install -y --no-install-recommends python3-venv \
            && python3 -m venv --clear /opt/tfserving-operator; }; } \
    && /opt/tfserving-operator/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes --requirement /tmp/requirements.txt \
    && cd /opt/tfserving-operator/lib/python3*/site-packages \
    && rm -rf pip pip-* setuptools setuptools-* _distutils_hack distutils-precedence.pth pkg_resources \
    && find . -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
# Pure Python: copied rather than built, so that no build tool is fetched without a hash.
COPY operator/tfserving_operator /tmp/tfserving_operator
RUN cp -r /tmp/tfserving_operator /opt/tfserving-operator/lib/python3*/site-packages/ \
    && printf '%s\n' '#!/opt/tfserving-operator/bin/python' \
        'from tfserving_operator.cli import main' 'main()' > /opt/tfserving-operator/bin/tfserving-operator \
    && chmod 0755 /opt/tfserving-operator/bin/tfserving-operator \
    && /opt/tfserving-operator/bin/python -m compileall -q /opt/tfserving-operator/lib

FROM ${BASE_IMAGE}
COPY --from=build /opt/tfserving-operator /opt/tfserving-operator
RUN echo 'tfserving-operator:x:65532:65532::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'tfserving-operator:x:65532:' >> /etc/group
ENV PATH=/opt/tfserving-operator/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PROMETHEUS_DISABLE_CREATED_SERIES=True
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["tfserving-operator"]
CMD ["run"]
