# syntax=docker/dockerfile:1

FROM rust:1-slim-bookworm AS build
# SQLite, libpq and OpenSSL are compiled in: that takes a C compiler, make and perl, and no -dev package.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What the caches hold is no part of the image, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bin rosterd \
    && cp target/release/rosterd /usr/local/bin/rosterd

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/rosterd \
        --shell /usr/sbin/nologin rosterd \
    && install --directory --owner rosterd --group rosterd --mode 0750 /var/lib/rosterd
# The OpenSSL inside the binary does not know where Debian keeps its certificates.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_DIR=/etc/ssl/certs \
    ROSTERD_LISTEN=0.0.0.0:8080 \
    ROSTERD_ADMIN_LISTEN=0.0.0.0:9464
COPY --from=build /usr/local/bin/rosterd /usr/local/bin/rosterd
# As a number, so that an orchestrator can see that it is not root.
USER 10001:10001
# Where the embedded database goes when DATABASE_URL is not set: mount a volume here to keep it.
WORKDIR /var/lib/rosterd
# Webhooks; metrics.
EXPOSE 8080 9464
ENTRYPOINT ["rosterd"]
CMD ["serve"]
