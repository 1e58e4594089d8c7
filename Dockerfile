# The image of the operator and the router: `make image REGISTRY=registry.example.com/acme`.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p operator -p router && cp target/release/keelway-operator target/release/keelway-router /

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /keelway-operator /keelway-router /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/keelway-operator"]
