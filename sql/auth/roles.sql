-- auth.roles - lists the database roles of this schema. It is the only list of their names.
set local role leads_owner;

create or replace function auth.roles()
returns table (name text, kind text, definer_schemas text[]) language sql immutable parallel safe
begin atomic
  select r.name, r.kind, r.definer_schemas
  from (values
    -- Tables, views, and functions that run with the caller's rights.
    ('leads_owner', 'owner', array[]::text[]),
    -- The functions that check a key or find an analyst's organization.
    ('leads_auth', 'owner', array['auth']),
    -- The functions of the API. The policies bind it to the organization of the request's key.
    ('leads_exec', 'owner', array['api']),
    -- The functions of forms. The policies bind it to the organization of the form's token.
    ('leads_intake', 'owner', array['api', 'intake']),
    -- The functions of operators and workers, which work for every organization.
    ('leads_jobs', 'owner', array['admin', 'crm', 'intake', 'webhook']),
    -- The functions that write the audit log.
    ('leads_audit', 'sealed', array['audit']),
    -- The functions that erase personal data.
    ('leads_eraser', 'sealed', array['audit']),
    -- The group of the analysts' logins.
    ('leads_bi', 'group', null),
    -- The API server.
    ('leads_api', 'login', null),
    -- The worker.
    ('leads_worker', 'login', null),
    -- The command line.
    ('leads_operator', 'login', null),
    -- leads cells sync.
    ('leads_router', 'login', null)
  ) as r (name, kind, definer_schemas);
end;

comment on function auth.roles() is
$$The database roles that the migrations create.

kind: "owner" owns objects, and the migrating login may act as it. "sealed" owns functions, and nobody may act as it. "group"
has the analysts' logins as its members. "login" can log in; the other kinds can't. definer_schemas: the schemas in which the
role may own SECURITY DEFINER functions; null: it owns no objects.$$;

grant execute on function auth.roles() to leads_exec, leads_jobs;
