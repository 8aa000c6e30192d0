# The step of Tasks of Redis: the agent and restic, with redis-cli of Debian.
#
#     docker build -f manifests/images/granary-redis.Dockerfile --build-arg COMMIT=$(git rev-parse --short=12 HEAD) .
#
# `make images` makes the same without Docker, from this file: see image.py.
ARG DEBIAN=debian:12-slim
FROM $DEBIAN AS build
ARG COMMIT=unknown
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make pkg-config python3 \
    ca-certificates debian-archive-keyring libmicrohttpd-dev libgnutls28-dev libjansson-dev libyaml-dev libcurl4-gnutls-dev redis-tools
WORKDIR /granary
COPY . .
RUN make COMMIT=$COMMIT build/granary-agent && manifests/images/image.py tree build/granary-agent /image --with restic --with redis

FROM scratch
COPY --from=build /image/ /
LABEL org.opencontainers.image.title=granary-redis
LABEL org.opencontainers.image.licenses=Apache-2.0
ENV PATH=/usr/bin
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/usr/bin/granary-agent"]
