# scangate itself: one static binary, no shell, no user of the host's. Build bin/scangate first: make build.
# It holds no package clients and no kernel rights: give it a filled image store (XDG_CACHE_HOME) and an engine's socket, and
# mount both, the workspace and XDG_STATE_HOME under the names they have for that engine.
# It keeps images and state below HOME: run it with --tmpfs /tmp, or with HOME set to a folder that is mounted.
FROM scratch
COPY bin/scangate /usr/bin/scangate
ENV HOME=/tmp
USER 65532:65532
WORKDIR /workspace
ENTRYPOINT ["/usr/bin/scangate"]
