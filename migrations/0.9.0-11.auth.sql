-- The functions that prove who makes a request.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema api to leads_exec;
grant create on schema auth to leads_auth;
reset role;

-- begin frozen sql/auth/roles.sql
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
    -- The functions of operators and workers, which work for every organization.
    ('leads_jobs', 'owner', array['admin', 'crm']),
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
    ('leads_operator', 'login', null)
  ) as r (name, kind, definer_schemas);
end;

comment on function auth.roles() is
$$The database roles that the migrations create.

kind: "owner" owns objects, and the migrating login may act as it. "sealed" owns functions, and nobody may act as it. "group"
has the analysts' logins as its members. "login" can log in; the other kinds can't. definer_schemas: the schemas in which the
role may own SECURITY DEFINER functions; null: it owns no objects.$$;

grant execute on function auth.roles() to leads_exec, leads_jobs;
-- begin frozen sql/auth/claimed_key.sql
-- auth.claimed_key - the API key that this transaction has proven, if it is valid.
set local role leads_auth;

create or replace view auth.claimed_key with (security_invoker = true) as
select
  k.organization_id,
  k.id,
  k.scopes
from auth.api_key as k
where
  -- A subselect is computed once per query. Without it, a scan would hash for each row.
  k.digest = (select sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex')))
  and k.revoked_at is null
  -- clock_timestamp() and read committed: a key also ends inside a transaction that stays open.
  and (k.expires_at is null or k.expires_at > clock_timestamp())
  and current_setting('transaction_isolation') = 'read committed';

comment on view auth.claimed_key is
$$The key that the claim of this transaction proves.

The claim is the setting leads.key_digest: the SHA-256 of the key as hexadecimal digits, which only the holder of the key can
compute. The table stores the SHA-256 of the claim, so a value that is read from the table is no claim.$$;
-- begin frozen sql/auth/enter.sql
-- auth.enter - begins a request: checks the key and sets the context. Every statement calls it.
set local role leads_auth;

create or replace function auth.enter(key_digest text, request_id text, scope text, read_only boolean)
returns void language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_scopes text[];
begin
  perform set_config('leads.request_id', enter.request_id, true);
  perform set_config('leads.key_digest', coalesce(enter.key_digest, ''), true);
  if enter.read_only then
    perform set_config('transaction_read_only', 'on', true);
  end if;
  if enter.scope is null then
    return;
  end if;

  select k.scopes into v_scopes from auth.claimed_key as k;
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  if not enter.scope = any (v_scopes) then
    raise sqlstate 'PT403' using
      message = 'insufficient_scope',
      hint = format('This key lacks the scope "%s". Use a key that has it.', enter.scope);
  end if;
end $$;

comment on function auth.enter(text, text, text, boolean) is
$$Checks the caller's key and sets the context of the request, until the transaction ends.

key_digest: SHA-256 of the key, 64 hexadecimal digits; null if there is no key. request_id: the X-Request-Id, up to 64
characters. scope: the scope that the route requires; null for a public route, which needs no key. read_only: true makes the
transaction read-only.
Raises PT401 unauthorized (no key, or an unknown, expired or revoked one) and PT403 insufficient_scope.$$;

grant execute on function auth.enter(text, text, text, boolean) to leads_api;
-- begin frozen sql/auth/organization_id.sql
-- auth.organization_id - the organization of the request's key, for leads_exec's policies.
set local role leads_auth;

create or replace function auth.organization_id(scope text)
returns uuid language sql stable parallel safe security definer
begin atomic
  select k.organization_id from auth.claimed_key as k where organization_id.scope = any (k.scopes);
end;

comment on function auth.organization_id(text) is
$$The organization of the key that this transaction has proven; null if there is none or the key lacks the scope.

No row has the organization null.$$;

grant execute on function auth.organization_id(text) to leads_exec;
-- begin frozen sql/auth/key_id.sql
-- auth.key_id - the id of the key that the request proved, for the audit log.
set local role leads_auth;

create or replace function auth.key_id()
returns uuid language sql stable parallel safe security definer
begin atomic
  select k.id from auth.claimed_key as k;
end;

comment on function auth.key_id() is 'The id of the key that this transaction has proven; null if there is none.';

grant execute on function auth.key_id() to leads_audit;
-- begin frozen sql/auth/key_scopes.sql
-- auth.key_scopes - the scopes of the key that the request proved.
set local role leads_auth;

create or replace function auth.key_scopes()
returns text[] language sql stable parallel safe security definer
begin atomic
  select k.scopes from auth.claimed_key as k;
end;

comment on function auth.key_scopes() is 'The scopes of the key that this transaction has proven; null if there is none.';

grant execute on function auth.key_scopes() to leads_exec;
-- begin frozen sql/auth/analyst_organization_id.sql
-- auth.analyst_organization_id - the organization of an analyst's login, for leads_bi's policies.
set local role leads_auth;

create or replace function auth.analyst_organization_id()
returns uuid language sql stable parallel safe security definer
begin atomic
  select a.organization_id
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  where
    -- session_user: neither a setting nor SET ROLE changes it.
    r.rolname = session_user
    and (a.expires_at is null or a.expires_at > clock_timestamp());
end;

comment on function auth.analyst_organization_id() is
$$The organization that session_user may read; null if there is none or the login has expired.

The login is compared by oid and by name. No row has the organization null.$$;

grant execute on function auth.analyst_organization_id() to leads_bi;
-- begin frozen sql/api/schema_version.sql
-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer language sql immutable parallel safe
begin atomic
  select 1;
end;

comment on function api.schema_version() is 'The number of the newest migration of this schema. api.release_version is the version of the release.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen

set local role leads_owner;
revoke create on schema api from leads_exec;
revoke create on schema auth from leads_auth;
reset role;
