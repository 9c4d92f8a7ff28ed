# scangate itself: one static binary, no shell, no user of the host's. Build bin/scangate first: make build.
# It keeps images and state below HOME: run it with --tmpfs /tmp, or with HOME set to a folder that is mounted.
FROM scratch
COPY bin/scangate /usr/bin/scangate
ENV HOME=/tmp
USER 65532:65532
WORKDIR /workspace
ENTRYPOINT ["/usr/bin/scangate"]
