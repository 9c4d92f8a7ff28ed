# scangate itself: one static binary, no shell, no user of the host's. Build bin/scangate first: make build.
FROM scratch
COPY bin/scangate /usr/bin/scangate
ENV HOME=/tmp
USER 65532:65532
WORKDIR /workspace
ENTRYPOINT ["/usr/bin/scangate"]
