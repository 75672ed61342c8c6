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

# What the controller runs, one process for each operation; the program takes no other series. The sums are those of Helm's release
# notes, for every platform that there is an image for. Where that host is out of reach, HELM_URL may be a copy.
FROM ${PYTHON} AS helm
ARG HELM_URL=https://get.helm.sh
ARG HELM_VERSION=4.2.4
ARG HELM_SHA256_AMD64=c306b46f719b0a4da32d0f78ee21bf90ce8d602f15b22ab753f0674d1670a7f3
ARG HELM_SHA256_ARM64=564de2191b881e9f71b5606b25345821ea1682f06ab90499d3ab22b530176da1
WORKDIR /helm
RUN platform=$(dpkg --print-architecture) \
 && case "$platform" in \
      amd64) sum=$HELM_SHA256_AMD64 ;; \
      arm64) sum=$HELM_SHA256_ARM64 ;; \
      *) echo "no sum of Helm for $platform" >&2; exit 1 ;; \
    esac \
 && python -c 'import sys; from urllib.request import urlretrieve; urlretrieve(sys.argv[1], "helm.tar.gz")' \
      "$HELM_URL/helm-v$HELM_VERSION-linux-$platform.tar.gz" \
 && echo "$sum  helm.tar.gz" > helm.sum && sha256sum --check --strict helm.sum \
 && tar -xzf helm.tar.gz --strip-components=1 --no-same-owner "linux-$platform/helm" "linux-$platform/LICENSE"

FROM ${PYTHON}
# Nothing in the running image installs packages. The base image comes without bytecode of the standard library, which
# every start would have to make anew.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
 && rm -r /usr/local/lib/python3.13/ensurepip \
 && python -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python3.13
COPY --from=helm /helm/helm /usr/local/bin/helm
COPY --from=helm /helm/LICENSE /usr/share/doc/helm/LICENSE
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
