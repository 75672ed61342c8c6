# The dependencies and the package are built into /opt/entryproxy; the final image gets that folder and no build tools.
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/entryproxy
COPY requirements.lock ./
RUN python -m pip --python /opt/entryproxy/bin/python install --no-cache-dir --only-binary :all: \
      --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY entryproxy ./entryproxy
RUN python -m pip install --no-cache-dir setuptools==84.2.1 \
 && python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/entryproxy/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl \
 && /opt/entryproxy/bin/python -m compileall -q /opt/entryproxy

FROM python:3.13-slim
# Nothing in the running image installs packages.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip
COPY --from=build /opt/entryproxy /opt/entryproxy
ENV PATH=/opt/entryproxy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can check runAsNonRoot.
USER 65532:65532
# https, http, admin
EXPOSE 8443 8080 9090
ENTRYPOINT ["entryproxy"]
