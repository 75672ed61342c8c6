# The dependencies and the package are built into /opt/entryproxy; the final image gets that folder and no build tools.
# Tag and digest go together: 3.13.15-slim-trixie, for all its platforms.
ARG PYTHON=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/entryproxy
COPY requirements.lock ./
RUN python -m pip --python /opt/entryproxy/bin/python install --no-cache-dir --no-compile --only-binary :all: \
      --require-hashes -r requirements.lock
# setuptools is what the tests build with, held to its hash like everything else.
COPY requirements-dev.lock ./
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.lock > setuptools.lock \
 && python -m pip install --no-cache-dir --require-hashes -r setuptools.lock
COPY pyproject.toml README.md ./
COPY entryproxy ./entryproxy
# Bytecode that never looks at the sources' times is the same in every build, and the image is read-only anyway.
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && python -m pip --python /opt/entryproxy/bin/python install --no-cache-dir --no-compile --no-deps --no-index \
      --find-links dist entryproxy \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/entryproxy/lib

FROM ${PYTHON}
# Nothing in the running image installs packages. The base image comes without bytecode of the standard library, which
# every start would have to make anew.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
 && rm -r /usr/local/lib/python3.13/ensurepip \
 && python -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python3.13
COPY --from=build /opt/entryproxy /opt/entryproxy
ENV PATH=/opt/entryproxy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title="entryproxy" \
      org.opencontainers.image.description="One TLS entry in front of many tenants' Kubernetes gateways." \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that Kubernetes can check runAsNonRoot.
USER 65532:65532
# https, http, admin
EXPOSE 8443 8080 9090
# Drains; a second one kills.
STOPSIGNAL SIGTERM
ENTRYPOINT ["entryproxy"]
