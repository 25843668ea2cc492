-- The functions behind the command line.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema admin to leads_jobs;
reset role;

-- begin frozen sql/admin/known_organization.sql
-- admin.known_organization - returns an organization, which must exist but may be erased.
set local role leads_jobs;

create or replace function admin.known_organization(organization_id uuid)
returns app.organization_values language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values;
begin
  select o.* into v_organization
  from app.organization as o
  where o.organization_id = known_organization.organization_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'organization_not_found',
      hint = format(
        'There is no organization %s. To list them, run: leads organizations list', known_organization.organization_id
      );
  end if;
  return v_organization;
end $$;

comment on function admin.known_organization(uuid) is
  'The organization. The name of an erased organization is null. Raises PT404 organization_not_found.';

grant execute on function admin.known_organization(uuid) to leads_operator;
-- begin frozen sql/admin/organization.sql
-- admin.organization - returns an organization, which must exist and not be erased.
set local role leads_jobs;

create or replace function admin.organization(organization_id uuid)
returns app.organization_values language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.known_organization(organization.organization_id);
begin
  if v_organization.erased_at is not null then
    raise sqlstate 'PT409' using
      message = 'organization_erased',
      hint = format(
        'The organization %s was erased at %s.', organization.organization_id, app.utc_text(v_organization.erased_at)
      );
  end if;
  return v_organization;
end $$;

comment on function admin.organization(uuid) is 'The organization. Raises PT404 organization_not_found, PT409 organization_erased.';

grant execute on function admin.organization(uuid) to leads_operator;
-- begin frozen sql/admin/create_organization.sql
-- admin.create_organization - creates an organization, for leads organizations create.
set local role leads_jobs;

create or replace function admin.create_organization(name text, environment text)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := app.new_id();
begin
  if app.is_text(app.trim_text(create_organization.name), 255) is not true then
    raise sqlstate 'PT422' using message = 'invalid_name', hint = 'The name must have 1 to 255 characters.';
  end if;
  insert into app.organization (organization_id, name, environment)
  values (v_organization_id, app.trim_text(create_organization.name), create_organization.environment);
  return v_organization_id;
end $$;

comment on function admin.create_organization(text, text) is
  'Creates an organization with the six default pipeline stages, and returns its id. environment: "live" or "test". '
  'Raises PT422 invalid_name.';

grant execute on function admin.create_organization(text, text) to leads_operator;
-- begin frozen sql/admin/organizations.sql
-- admin.organizations - lists the organizations, for leads organizations list.
set local role leads_jobs;

create or replace function admin.organizations()
returns table (id uuid, name text, environment text, created_at text, erased_at text)
language sql stable security definer
begin atomic
  select o.organization_id, o.name, o.environment, app.utc_text(o.created_at), app.utc_text(o.erased_at)
  from app.organization as o
  order by o.created_at, o.organization_id;
end;

comment on function admin.organizations() is 'All organizations, the oldest first.';

grant execute on function admin.organizations() to leads_operator;
-- begin frozen sql/admin/stages.sql
-- admin.stages - lists an organization's pipeline stages, for leads organizations stages ID.
set local role leads_jobs;

create or replace function admin.stages(organization_id uuid)
returns table ("position" integer, name text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(stages.organization_id);
  return query
  select s.position, s.name
  from app.pipeline_stage as s
  where s.organization_id = stages.organization_id
  order by s.position, s.name;
end $$;

comment on function admin.stages(uuid) is 'The organization''s pipeline stages in their order. Raises PT404 organization_not_found.';

grant execute on function admin.stages(uuid) to leads_operator;
-- begin frozen sql/admin/add_stage.sql
-- admin.add_stage - adds a pipeline stage, for leads organizations stages ID --add NAME.
set local role leads_jobs;

create or replace function admin.add_stage(organization_id uuid, name text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(add_stage.organization_id)).organization_id;
begin
  if app.is_name(add_stage.name) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'A stage''s name must have 1 to 64 characters from a-z, 0-9, _ and -, and begin with a-z or 0-9.';
  end if;
  insert into app.pipeline_stage (organization_id, name, position)
  select v_organization_id, add_stage.name, coalesce(max(s.position), 0) + 1
  from app.pipeline_stage as s
  where s.organization_id = v_organization_id
  on conflict (organization_id, name) do nothing;
  if not found then
    raise sqlstate 'PT409' using
      message = 'stage_exists',
      hint = format('The organization already has a stage "%s".', add_stage.name);
  end if;
end $$;

comment on function admin.add_stage(uuid, text) is
  'Adds a pipeline stage after the others. Raises PT404 organization_not_found, PT422 invalid_name, PT409 stage_exists.';

grant execute on function admin.add_stage(uuid, text) to leads_operator;
-- begin frozen sql/admin/remove_stage.sql
-- admin.remove_stage - removes a pipeline stage, for leads organizations stages ID --remove NAME.
set local role leads_jobs;

create or replace function admin.remove_stage(organization_id uuid, name text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(remove_stage.organization_id)).organization_id;
  v_constraint text;
begin
  delete from app.pipeline_stage as s
  where s.organization_id = v_organization_id and s.name = remove_stage.name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'stage_not_found',
      hint = format('The organization has no stage "%s".', remove_stage.name);
  end if;
exception
  when foreign_key_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'connection_push_stage_exists' then
      raise sqlstate 'PT409' using message = 'stage_pushes', hint = format(
        'A lead that enters "%s" is pushed to the CRM. First run leads crm connect with another --push-stage.',
        remove_stage.name
      );
    end if;
    raise sqlstate 'PT409' using
      message = 'stage_has_leads',
      hint = format('The stage "%s" has leads. First move them to another stage.', remove_stage.name);
end $$;

comment on function admin.remove_stage(uuid, text) is
  'Removes a pipeline stage. Raises PT404 organization_not_found and stage_not_found, PT409 stage_has_leads, '
  'stage_pushes and stage_new_is_needed.';

grant execute on function admin.remove_stage(uuid, text) to leads_operator;
-- begin frozen sql/admin/good_key.sql
-- admin.good_key - locks and returns a key, which must exist and be valid.
set local role leads_jobs;

create or replace function admin.good_key(
  id uuid,
  out organization_id uuid,
  out environment text,
  out name text,
  out scopes text[],
  out expires_at timestamptz
)
returns record language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_key record;
begin
  -- The organization isn't known before the key is found.
  select k.organization_id, o.environment, k.name, k.scopes, k.expires_at, k.revoked_at into v_key
  from auth.api_key as k
  join app.organization as o on o.organization_id = k.organization_id
  where k.id = good_key.id
  for update of k;
  if not found then
    raise sqlstate 'PT404' using
      message = 'key_not_found',
      hint = format('There is no key %s. To list the keys, run: leads keys list', good_key.id);
  end if;
  if v_key.revoked_at is not null or v_key.expires_at <= now() then
    raise sqlstate 'PT409' using
      message = 'key_not_good',
      hint = format('The key %s is revoked or has expired. To create a new one, run: leads keys create', good_key.id);
  end if;
  organization_id := v_key.organization_id;
  environment := v_key.environment;
  name := v_key.name;
  scopes := v_key.scopes;
  expires_at := v_key.expires_at;
end $$;

comment on function admin.good_key(uuid) is 'Locks and returns the key. Raises PT404 key_not_found, PT409 key_not_good.';

grant execute on function admin.good_key(uuid) to leads_operator;
-- begin frozen sql/admin/create_key.sql
-- admin.create_key - stores a new API key's digest, for leads keys create.
set local role leads_jobs;

create or replace function admin.create_key(
  organization_id uuid,
  scope text,
  digest bytea,
  name text default null,
  expires_at timestamptz default null
)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.new_id();
  v_scopes text[] := case create_key.scope
    when 'read' then array['read']
    when 'write' then array['read', 'write']
    when 'admin' then array['read', 'write', 'admin']
  end;
begin
  if v_scopes is null then
    raise sqlstate 'PT422' using message = 'unknown_scope', hint = 'The scopes are read, write and admin.';
  end if;
  if app.is_text(app.trim_text(create_key.name), 255) is false then
    raise sqlstate 'PT422' using message = 'invalid_name', hint = 'The name must have 1 to 255 characters.';
  end if;
  if create_key.expires_at <= now() then
    raise sqlstate 'PT422' using message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at)
  values (
    (admin.organization(create_key.organization_id)).organization_id,
    v_id,
    app.trim_text(create_key.name),
    v_scopes,
    create_key.digest,
    create_key.expires_at
  );
  return v_id;
end $$;

comment on function admin.create_key(uuid, text, bytea, text, timestamptz) is
$$Stores a new key's digest, and returns the key's id.

scope: the highest scope: read, write or admin. digest: SHA-256 of the SHA-256 of the key. The server never has the key itself
here. expires_at: null for never. Raises PT404 organization_not_found, PT422 unknown_scope, invalid_name and expired.$$;

grant execute on function admin.create_key(uuid, text, bytea, text, timestamptz) to leads_operator;
-- begin frozen sql/admin/keys.sql
-- admin.keys - lists API keys, for leads keys list.
set local role leads_jobs;

create or replace function admin.keys(organization_id uuid default null)
returns table (
  id uuid,
  organization_id uuid,
  name text,
  scopes text[],
  state text,
  created_at text,
  expires_at text,
  revoked_at text,
  rotated_from uuid
)
language sql stable security definer
begin atomic
  select
    k.id,
    k.organization_id,
    k.name,
    k.scopes,
    case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'good' end,
    app.utc_text(k.created_at),
    app.utc_text(k.expires_at),
    app.utc_text(k.revoked_at),
    k.rotated_from
  from auth.api_key as k
  where k.organization_id = keys.organization_id or keys.organization_id is null
  order by k.created_at, k.id;
end;

comment on function admin.keys(uuid) is
  'The keys of an organization, the oldest first. organization_id: null for all organizations.';

grant execute on function admin.keys(uuid) to leads_operator;
-- begin frozen sql/admin/rotate_key.sql
-- admin.rotate_key - creates the successor of an API key, for leads keys rotate ID.
set local role leads_jobs;

create or replace function admin.rotate_key(id uuid, digest bytea, overlap interval default '24 hours')
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_old record;
  v_id uuid := app.new_id();
  v_new_id uuid;
begin
  if rotate_key.overlap < interval '0' then
    raise sqlstate 'PT422' using message = 'invalid_overlap', hint = 'The overlap can''t be negative.';
  end if;
  v_old := admin.good_key(rotate_key.id);
  -- A second rotation would copy the end of the overlap, which is stored as the key's expiry.
  select k.id into v_new_id
  from auth.api_key as k
  where k.organization_id = v_old.organization_id and k.rotated_from = rotate_key.id;
  if found then
    raise sqlstate 'PT409' using
      message = 'key_rotated_already',
      hint = format('The key %s was already rotated. Rotate its successor: %s.', rotate_key.id, v_new_id);
  end if;
  -- A key that expires before the overlap ends keeps its expiry.
  update auth.api_key as k
  set expires_at = least(k.expires_at, date_trunc('milliseconds', now() + rotate_key.overlap))
  where k.organization_id = v_old.organization_id and k.id = rotate_key.id;

  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at, rotated_from)
  values (v_old.organization_id, v_id, v_old.name, v_old.scopes, rotate_key.digest, v_old.expires_at, rotate_key.id);
  return v_id;
end $$;

comment on function admin.rotate_key(uuid, bytea, interval) is
$$Creates a key with the name, scopes and expiry of an existing one, and returns the new key's id.

The existing key is valid until the overlap ends. digest: SHA-256 of the SHA-256 of the new key. Raises PT404 key_not_found,
PT409 key_not_good and key_rotated_already, PT422 invalid_overlap.$$;

grant execute on function admin.rotate_key(uuid, bytea, interval) to leads_operator;
-- begin frozen sql/admin/revoke_key.sql
-- admin.revoke_key - revokes an API key, for leads keys revoke ID.
set local role leads_jobs;

create or replace function admin.revoke_key(id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.good_key(revoke_key.id)).organization_id;
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  where k.organization_id = v_organization_id and k.id = revoke_key.id;
end $$;

comment on function admin.revoke_key(uuid) is 'Revokes a key. Raises PT404 key_not_found, PT409 key_not_good.';

grant execute on function admin.revoke_key(uuid) to leads_operator;
-- begin frozen sql/admin/analysts.sql
-- admin.analysts - lists the analysts' logins, for leads bi list.
set local role leads_jobs;

create or replace function admin.analysts(organization_id uuid default null)
returns table (
  login text,
  organization_id uuid,
  organization text,
  state text,
  created_at text,
  expires_at text
)
language sql stable security definer
begin atomic
  select
    a.role_name::text,
    a.organization_id,
    o.name,
    case
      when r.rolname is distinct from a.role_name then 'gone'
      when not r.rolcanlogin then 'revoked'
      when a.expires_at <= now() then 'expired'
      else 'good'
    end,
    app.utc_text(a.created_at),
    app.utc_text(a.expires_at)
  from auth.analyst as a
  join app.organization as o on o.organization_id = a.organization_id
  left join pg_catalog.pg_roles as r on r.oid = a.role_oid
  where a.organization_id = analysts.organization_id or analysts.organization_id is null
  order by a.created_at, a.role_name;
end;

comment on function admin.analysts(uuid) is
$$The analysts of an organization, the oldest first. organization_id: null for all organizations.

state: "good", "expired", "revoked" (the login is being removed) or "gone" (the cluster has no such login; leads bi revoke
removes the entry).$$;

grant execute on function admin.analysts(uuid) to leads_operator;
-- begin frozen sql/admin/bind_analyst.sql
-- admin.bind_analyst - binds a login to one organization.
set local role leads_jobs;

create or replace function admin.bind_analyst(login text, organization_id uuid, expires_at timestamptz default null)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.organization(bind_analyst.organization_id);
  v_oid oid := (select r.oid from pg_catalog.pg_roles as r where r.rolname = bind_analyst.login);
begin
  -- This entry belongs to a login that was dropped. The new login has its oid.
  delete from auth.analyst as a where a.role_oid = v_oid and a.role_name <> bind_analyst.login;
  insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
  values (v_organization.organization_id, v_oid, bind_analyst.login, bind_analyst.expires_at);
end $$;

comment on function admin.bind_analyst(text, uuid, timestamptz) is
$$Binds a login, by its oid and name, to one organization. Only admin.create_analyst calls it: no login may execute it.

Raises PT404 organization_not_found, and 23505 analyst_role_oid_is_unique if the login is already bound.$$;
-- begin frozen sql/admin/create_analyst.sql
-- admin.create_analyst - creates an analyst's login, for leads bi create LOGIN.
set local role leads_jobs;

create or replace function admin.create_analyst(
  login text,
  organization_id uuid,
  verifier text,
  expires_at timestamptz default null
)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text;
begin
  if create_analyst.login collate "C" !~ '^[a-z_][a-z0-9_]{0,62}$' or create_analyst.login ~ '^(pg_|leads_)' then
    raise sqlstate 'PT422' using message = 'invalid_login', hint =
      'A login must have 1 to 63 characters from a-z, 0-9 and _. It must not begin with a digit, pg_ or leads_. Choose '
      'another name. Every login of the cluster can see it, so don''t use a customer''s name.';
  end if;
  if create_analyst.verifier is null or create_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be a SCRAM-SHA-256 verifier (RFC 5803) and not the password.';
  end if;
  if create_analyst.expires_at <= now() then
    raise sqlstate 'PT422' using
      message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  if exists (select from pg_catalog.pg_roles as r where r.rolname = create_analyst.login) then
    raise sqlstate 'PT409' using message = 'login_exists', hint = format(
      'The login "%s" already exists. Choose another name. If leads bi list shows it, you can drop it: leads bi revoke %s',
      create_analyst.login, create_analyst.login
    );
  end if;

  execute format(
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication inherit connection limit 5 password %L '
    'valid until %L',
    create_analyst.login, create_analyst.verifier, coalesce(create_analyst.expires_at::text, 'infinity')
  );
  -- The defaults of a session. The analyst may change them, which gives access to no more rows.
  foreach v_setting in array array[
    'search_path = bi',
    'timezone = ''UTC''',
    'default_transaction_read_only = on',
    'statement_timeout = ''60s''',
    'lock_timeout = ''5s''',
    -- VACUUM can't remove rows that were deleted after an open transaction began.
    'idle_in_transaction_session_timeout = ''60s''',
    'idle_session_timeout = ''8h'''
  ]
  loop
    execute format('alter role %I set %s', create_analyst.login, v_setting);
  end loop;
  perform admin.bind_analyst(create_analyst.login, create_analyst.organization_id, create_analyst.expires_at);
  -- PostgreSQL 15 has no SET FALSE. Only the policy protects the rows: it checks session_user.
  execute format(
    'grant leads_bi to %I%s',
    create_analyst.login,
    case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
  );
end $$;

comment on function admin.create_analyst(text, uuid, text, timestamptz) is
$$Creates a login that can read the rows of one organization in schema bi. Only the migrating login can execute it, which has
CREATEROLE.

login: 1 to 63 characters from a-z, 0-9 and _. verifier: the password's SCRAM-SHA-256 verifier (RFC 5803). expires_at: after
this time the login can't log in and sees no row; null for never. Raises PT404 organization_not_found, PT409 login_exists,
PT422 invalid_login, invalid_verifier and expired; 42501 if the caller lacks CREATEROLE, or ADMIN OPTION on leads_bi.$$;
-- begin frozen sql/admin/unbind_analyst.sql
-- admin.unbind_analyst - unbinds a login from its organization.
set local role leads_jobs;

create or replace function admin.unbind_analyst(login text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from auth.analyst as a where a.role_name = unbind_analyst.login;
end $$;

comment on function admin.unbind_analyst(text) is
  'Unbinds a login from its organization. It then sees no row. Only admin.revoke_analyst calls it: no login may execute it.';
-- begin frozen sql/admin/revoke_analyst.sql
-- admin.revoke_analyst - the first step of leads bi revoke: then the login sees no row.
set local role leads_jobs;

create or replace function admin.revoke_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_ours boolean := exists (
    select
    from pg_catalog.pg_roles as r
    where
      r.rolname = revoke_analyst.login
      -- A login that can do more than read isn't an analyst's login, and isn't dropped here.
      and not r.rolsuper and not r.rolcreaterole
      and exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member = r.oid and m.roleid = 'leads_bi'::regrole
      )
  );
begin
  if not v_is_ours and not exists (select from admin.analysts() as a where a.login = revoke_analyst.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', revoke_analyst.login
    );
  end if;
  perform admin.unbind_analyst(revoke_analyst.login);
  if v_is_ours then
    execute format('alter role %I nologin', revoke_analyst.login);
  end if;
end $$;

comment on function admin.revoke_analyst(text) is
$$Unbinds an analyst's login from its organization, and sets it to NOLOGIN. After the commit it can't open a new session.

admin.drop_analyst then ends the login's sessions in a separate transaction, because an open transaction of the analyst may
still have its snapshot. Only the migrating login can execute it. Raises PT404 analyst_not_found.$$;
-- begin frozen sql/admin/drop_analyst.sql
-- admin.drop_analyst - the second step of leads bi revoke: ends the login's sessions and drops it.
set local role leads_jobs;

create or replace function admin.drop_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login) then
    return;
  end if;
  if
    exists (select from admin.analysts() as a where a.login = drop_analyst.login)
    or not exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      where r.rolname = drop_analyst.login and not r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
  then
    raise sqlstate 'PT409' using message = 'analyst_not_revoked', hint = format(
      '"%s" isn''t a revoked login. Run: leads bi revoke %s', drop_analyst.login, drop_analyst.login
    );
  end if;
  -- The creator of a role only has ADMIN OPTION. To end its sessions takes the role's privileges.
  execute format('grant %I to %I', drop_analyst.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = drop_analyst.login;
  execute format('drop role %I', drop_analyst.login);
end $$;

comment on function admin.drop_analyst(text) is
$$Ends the sessions of a revoked analyst's login, and drops the login if it exists. Only the migrating login can execute it.

It waits up to 5 seconds for each session. Raises PT409 analyst_not_revoked, and 2BP01 if an object depends on the login.$$;
-- begin frozen sql/admin/load_leads.sql
-- admin.load_leads - inserts leads with times in the past, for leads demo.
set local role leads_jobs;

create or replace function admin.load_leads(organization_id uuid, leads jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(load_leads.organization_id)).organization_id;
  v_count integer;
begin
  insert into app.lead (
    id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
  )
  select
    coalesce(l.id, app.new_id()), v_organization_id, l.name, l.company, l.email, l.source, l.lead_score, l.pipeline_stage, l.industry, l.company_size,
    l.pain_points, l.timeline, l.budget_range, l.ai_reasoning, l.qualification_completed_at, l.created_at, l.updated_at
  from jsonb_populate_recordset(null::app.lead, load_leads.leads) as l;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function admin.load_leads(uuid, jsonb) is
  'Inserts leads without changing them, and returns their number. leads: a JSON array of objects with the fields of '
  'api.lead. Raises PT404 organization_not_found, and violations of the table''s constraints.';

grant execute on function admin.load_leads(uuid, jsonb) to leads_operator;
-- begin frozen sql/admin/load_signals.sql
-- admin.load_signals - inserts signals with times in the past, for leads demo.
set local role leads_jobs;

create or replace function admin.load_signals(organization_id uuid, signals jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(load_signals.organization_id)).organization_id;
  v_count integer;
begin
  insert into scoring.signal (organization_id, lead_id, type, value, observed_at, dedupe_key)
  select
    v_organization_id,
    (s.signal ->> 'lead_id')::uuid,
    s.signal ->> 'type',
    coalesce(s.signal -> 'value', 'true'),
    (s.signal ->> 'observed_at')::timestamptz,
    s.signal ->> 'dedupe_key'
  from jsonb_array_elements(load_signals.signals) as s (signal)
  on conflict (organization_id, lead_id, dedupe_key) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function admin.load_signals(uuid, jsonb) is
  'Inserts signals, and returns the number of new ones. signals: a JSON array of {lead_id, type, value, observed_at, '
  'dedupe_key}. Raises PT404 organization_not_found, and violations of the table''s constraints.';

grant execute on function admin.load_signals(uuid, jsonb) to leads_operator;
-- begin frozen sql/admin/check_scoring_model.sql
-- admin.check_scoring_model - rejects a scoring model that has errors.
set local role leads_jobs;

create or replace function admin.check_scoring_model(document jsonb)
returns void language plpgsql immutable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_faults json := scoring.model_faults(check_scoring_model.document);
begin
  if v_faults is not null then
    raise sqlstate 'PT422' using
      message = 'invalid_model',
      detail = v_faults::text,
      hint = format(
        'The scoring model has %s errors. The first is in %s: %s',
        json_array_length(v_faults), v_faults -> 0 ->> 'field', v_faults -> 0 ->> 'detail'
      );
  end if;
end $$;

comment on function admin.check_scoring_model(jsonb) is
  'Raises PT422 invalid_model if the model has errors. DETAIL has all of them, as a JSON array of {field, code, detail}.';

grant execute on function admin.check_scoring_model(jsonb) to leads_operator;
-- begin frozen sql/admin/scoring_models.sql
-- admin.scoring_models - lists an organization's models and the default, for leads scoring show.
set local role leads_jobs;

create or replace function admin.scoring_models(organization_id uuid)
returns table (model text, version integer, state text, document json, created_at text, activated_at text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(scoring_models.organization_id);
  return query
  select 'own', m.version, m.state, m.document::json, app.utc_text(m.created_at), app.utc_text(m.activated_at)
  from scoring.model as m
  where m.organization_id = scoring_models.organization_id
  union all
  select
    'default', d.version,
    case
      when d.version < max(d.version) over () then 'retired'
      when f.model = 'default' then 'active'
      else 'unused'
    end,
    d.document::json, null, null
  from scoring.default_model as d
  cross join scoring.model_in_force(scoring_models.organization_id) as f
  order by 1 desc, 2 desc;
end $$;

comment on function admin.scoring_models(uuid) is
$$The organization's scoring models, the newest first, and then the default models. Raises PT404 organization_not_found.

state: "draft", "active" or "retired". The newest default model is "unused" while the organization has an active model.$$;

grant execute on function admin.scoring_models(uuid) to leads_operator;
-- begin frozen sql/admin/edit_scoring_model.sql
-- admin.edit_scoring_model - creates or replaces the draft of a model, for leads scoring edit.
set local role leads_jobs;

create or replace function admin.edit_scoring_model(organization_id uuid, document jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(edit_scoring_model.organization_id)).organization_id;
  v_version integer;
begin
  perform admin.check_scoring_model(edit_scoring_model.document);
  -- If two sessions create a draft at the same time, the second replaces the draft of the first.
  loop
    update scoring.model as m
    set document = edit_scoring_model.document
    where m.organization_id = v_organization_id and m.state = 'draft'
    returning m.version into v_version;
    exit when found;
    insert into scoring.model (organization_id, version, document)
    select v_organization_id, coalesce(max(m.version), 0) + 1, edit_scoring_model.document
    from scoring.model as m
    where m.organization_id = v_organization_id
    on conflict do nothing
    returning version into v_version;
    exit when found;
  end loop;
  return v_version;
end $$;

comment on function admin.edit_scoring_model(uuid, jsonb) is
  'Replaces the draft of the organization''s scoring model, or creates it. Returns the draft''s version. Raises PT404 '
  'organization_not_found, PT422 invalid_model.';

grant execute on function admin.edit_scoring_model(uuid, jsonb) to leads_operator;
-- begin frozen sql/admin/activate_scoring_model.sql
-- admin.activate_scoring_model - activates a version of a model, for leads scoring activate.
set local role leads_jobs;

create or replace function admin.activate_scoring_model(organization_id uuid, version integer default null)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(activate_scoring_model.organization_id)).organization_id;
  v_model scoring.model;
begin
  -- Locks all models of the organization, so that concurrent activations wait for each other.
  perform from scoring.model as m where m.organization_id = v_organization_id order by m.version for update;
  select m.* into v_model
  from scoring.model as m
  where
    m.organization_id = v_organization_id
    and case
      when activate_scoring_model.version is null then m.state = 'draft'
      else m.version = activate_scoring_model.version
    end;
  if not found then
    raise sqlstate 'PT404' using
      message = 'model_not_found',
      hint = case
        when activate_scoring_model.version is not null then
          format('The organization has no scoring model of version %s.', activate_scoring_model.version)
        else coalesce(
          (
            select format('There is no draft. Version %s is active since %s.', m.version, app.utc_text(m.activated_at))
            from scoring.model as m
            where m.organization_id = v_organization_id and m.state = 'active'
          ),
          'There is no draft.'
        ) || ' To create one, run: leads scoring edit FILE'
      end;
  end if;
  if v_model.state = 'active' then
    raise sqlstate 'PT409' using
      message = 'model_is_active',
      hint = format('Version %s is already active, since %s.', v_model.version, app.utc_text(v_model.activated_at));
  end if;
  update scoring.model as m
  set state = 'retired'
  where m.organization_id = v_organization_id and m.state = 'active';
  update scoring.model as m
  set state = 'active', activated_at = date_trunc('milliseconds', now())
  where m.organization_id = v_organization_id and m.version = v_model.version;
  return v_model.version;
end $$;

comment on function admin.activate_scoring_model(uuid, integer) is
$$Activates a version of the organization's scoring model and retires the version that was active. Returns the version.

version: null for the draft. A retired version can be activated again. An activated version can't be changed. Raises PT404
organization_not_found and model_not_found, PT409 model_is_active.$$;

grant execute on function admin.activate_scoring_model(uuid, integer) to leads_operator;
-- begin frozen sql/admin/try_scoring_model.sql
-- admin.try_scoring_model - computes a lead's score and stores nothing, for leads scoring try.
set local role leads_jobs;

create or replace function admin.try_scoring_model(
  organization_id uuid,
  lead_id uuid,
  instant timestamptz default null,
  document jsonb default null
)
returns table (
  lead_score integer,
  ai_reasoning text,
  base numeric,
  contributions json,
  model text,
  model_version integer,
  scored_at text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(try_scoring_model.organization_id)).organization_id;
  v_instant timestamptz := date_trunc('milliseconds', coalesce(try_scoring_model.instant, now()));
  v_model record;
begin
  if try_scoring_model.document is not null then
    perform admin.check_scoring_model(try_scoring_model.document);
  end if;
  select
    case when try_scoring_model.document is null then f.model end as model,
    case when try_scoring_model.document is null then f.model_version end as version,
    coalesce(try_scoring_model.document, f.document) as document
  into v_model
  from scoring.model_in_force(v_organization_id) as f;

  return query
  select
    r.lead_score, r.ai_reasoning, (v_model.document ->> 'base')::numeric, r.contributions, v_model.model,
    v_model.version, app.utc_text(v_instant)
  from scoring.compute_scores(
    v_organization_id, array[try_scoring_model.lead_id], array[v_instant], v_model.document,
    try_scoring_model.instant is null
  ) as r;
  if not found then
    raise sqlstate 'PT404' using
      message = 'lead_not_found',
      hint = format('The organization has no lead %s.', try_scoring_model.lead_id);
  end if;
end $$;

comment on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) is
$$The score that a scoring model gives a lead. Stores nothing.

instant: null for now; otherwise only signals that were observed until then count. document: the model; null for the model in
force. model, model_version: null if document has a value. Raises PT404 organization_not_found and lead_not_found, PT422
invalid_model.$$;

grant execute on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) to leads_operator;
-- begin frozen sql/admin/backtest_leads.sql
-- admin.backtest_leads - lists the leads that are won or lost, for leads scoring backtest.
set local role leads_jobs;

create or replace function admin.backtest_leads(organization_id uuid)
returns table (lead_id uuid, is_qualified boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(backtest_leads.organization_id);
  return query
  select l.id, l.qualification_completed_at is not null
  from app.lead as l
  where l.organization_id = backtest_leads.organization_id and l.pipeline_stage in ('won', 'lost');
end $$;

comment on function admin.backtest_leads(uuid) is
  'The leads that are won or lost, and whether each was ever qualified. Raises PT404 organization_not_found.';

grant execute on function admin.backtest_leads(uuid) to leads_operator;
-- begin frozen sql/admin/backtest_scoring_model.sql
-- admin.backtest_scoring_model - scores won and lost leads, for leads scoring backtest.
set local role leads_jobs;

create or replace function admin.backtest_scoring_model(
  organization_id uuid,
  document jsonb,
  lead_ids uuid[] default null
)
returns table (lead_id uuid, is_won boolean, lead_score integer, score_in_force integer)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(backtest_scoring_model.organization_id)).organization_id;
  v_in_force jsonb := (scoring.model_in_force(v_organization_id)).document;
  v_ids uuid[];
  v_instants timestamptz[];
  v_are_won boolean[];
begin
  perform admin.check_scoring_model(backtest_scoring_model.document);
  v_ids := coalesce(
    backtest_scoring_model.lead_ids,
    array(select b.lead_id from admin.backtest_leads(v_organization_id) as b where b.is_qualified)
  );
  select array_agg(l.id), array_agg(l.qualification_completed_at), array_agg(l.pipeline_stage = 'won')
  into v_ids, v_instants, v_are_won
  from unnest(v_ids) as i (id)
  join app.lead as l on l.organization_id = v_organization_id and l.id = i.id
  where l.pipeline_stage in ('won', 'lost') and l.qualification_completed_at is not null;

  return query
  select l.id, l.is_won, r.lead_score, f.lead_score
  from unnest(v_ids, v_are_won) as l (id, is_won)
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, backtest_scoring_model.document, false) as r
    on r.lead_id = l.id
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, v_in_force, false) as f on f.lead_id = l.id;
end $$;

comment on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) is
$$Scores each lead that is won or lost, with the signals that were observed before its qualification. Stores nothing.

lead_ids: ids from admin.backtest_leads without repetitions; null for all leads in one statement. Leads that were never
qualified are left out. A lead's own fields have their present values. score_in_force: the score that the model in force
gives. Raises PT404 organization_not_found, PT422 invalid_model.$$;

grant execute on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) to leads_operator;
-- begin frozen sql/admin/connect_crm.sql
-- admin.connect_crm - creates or replaces a connection to a CRM, for leads crm connect.
set local role leads_jobs;

create or replace function admin.connect_crm(
  organization_id uuid,
  vendor text,
  account text,
  settings jsonb,
  credential bytea default null,
  credential_key text default null,
  push_stage text default null,
  settle_seconds integer default null
)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization app.organization_values := admin.organization(connect_crm.organization_id);
  v_vendor crm.vendor;
begin
  select v.* into v_vendor from crm.vendor as v where v.name = connect_crm.vendor;
  if not found then
    raise sqlstate 'PT404' using message = 'vendor_not_found', hint = format(
      'There is no adapter for "%s". The vendors with an adapter are: %s.', connect_crm.vendor,
      (select string_agg(v.name, ', ' order by v.name) from crm.vendor as v)
    );
  end if;
  if connect_crm.settle_seconds not between 0 and 3600 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'settle_seconds must be a whole number from 0 to 3600.';
  end if;
  if (connect_crm.credential is null) <> (v_organization.environment = 'test') then
    raise sqlstate 'PT422' using message = 'invalid_credential', hint = case v_organization.environment
      when 'test' then 'A test organization has no credential, because its pushes are simulated.'
      else 'A connection needs the vendor''s credential.'
    end;
  end if;

  insert into crm.connection as c (
    organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key
  )
  values (
    v_organization.organization_id,
    v_vendor.name,
    connect_crm.account,
    coalesce(connect_crm.push_stage, 'qualified'),
    connect_crm.settings,
    coalesce(connect_crm.settle_seconds, v_vendor.settle_seconds),
    connect_crm.credential,
    connect_crm.credential_key
  )
  on conflict (organization_id) do update
  set
    vendor = excluded.vendor,
    account = excluded.account,
    state = 'active',
    fault = null,
    push_stage = coalesce(connect_crm.push_stage, c.push_stage),
    settings = excluded.settings,
    settle_seconds = case
      when connect_crm.settle_seconds is null and c.vendor = excluded.vendor then c.settle_seconds
      else excluded.settle_seconds
    end,
    revision = c.revision + 1,
    credential = excluded.credential,
    credential_key = excluded.credential_key,
    blocked_until = null,
    paced_until = null;
  perform pg_notify('leads_crm', '');
exception
  when foreign_key_violation then
    raise sqlstate 'PT404' using message = 'stage_not_found', hint = format(
      'The organization has no stage "%s". To list the stages, run: leads organizations stages',
      coalesce(connect_crm.push_stage, 'qualified')
    );
end $$;

comment on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) is
$$Creates the organization's connection to a CRM, or replaces it. A paused connection becomes active.

account: the account at the vendor. Existing syncs with the same account continue. credential: encrypted; null for a test
organization. credential_key: the id of the key that decrypts it. push_stage, settle_seconds: null keeps the values of the
present connection; for a new one they are "qualified" and the vendor's default. Raises PT404 organization_not_found,
vendor_not_found and stage_not_found, PT422 out_of_range and invalid_credential.$$;

grant execute on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) to leads_operator;
-- begin frozen sql/admin/crm_connections.sql
-- admin.crm_connections - lists the connections to CRMs, for leads crm list.
set local role leads_jobs;

create or replace function admin.crm_connections(organization_id uuid default null)
returns table (
  organization_id uuid,
  organization text,
  environment text,
  vendor text,
  account text,
  state text,
  fault text,
  push_stage text,
  settle_seconds integer,
  settings json,
  credential bytea,
  credential_key text,
  waiting integer,
  failed integer
)
language sql stable security definer
begin atomic
  select
    c.organization_id, o.name, o.environment, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds,
    c.settings::json, c.credential, c.credential_key,
    count(*) filter (where s.status in ('pending', 'in_progress'))::integer,
    count(*) filter (where s.status = 'failed')::integer
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  left join crm.sync as s
    on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    and s.status in ('pending', 'in_progress', 'failed')
  where crm_connections.organization_id is null or c.organization_id = crm_connections.organization_id
  group by o.organization_id, c.organization_id
  order by o.created_at, c.organization_id;
end;

comment on function admin.crm_connections(uuid) is
  'The connection of an organization, or of every organization if organization_id is null. credential: encrypted. waiting, '
  'failed: the number of pushes that wait or have failed.';

grant execute on function admin.crm_connections(uuid) to leads_operator;
-- begin frozen sql/admin/change_crm_connection.sql
-- admin.change_crm_connection - for leads crm pause, resume and disconnect.
set local role leads_jobs;

create or replace function admin.change_crm_connection(organization_id uuid, change text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(change_crm_connection.organization_id)).organization_id;
begin
  case change_crm_connection.change
    when 'pause' then
      update crm.connection as c set state = 'paused', fault = null where c.organization_id = v_organization_id;
    when 'resume' then
      update crm.connection as c
      set state = 'active', fault = null, blocked_until = null
      where c.organization_id = v_organization_id;
    when 'disconnect' then
      delete from crm.connection as c where c.organization_id = v_organization_id;
    else
      raise sqlstate 'PT422' using
        message = 'unknown_change', hint = 'The change must be pause, resume or disconnect.';
  end case;
  if not found then
    raise sqlstate 'PT404' using
      message = 'connection_not_found',
      hint = 'The organization has no connection to a CRM. To create one, run: leads crm connect';
  end if;
  perform pg_notify('leads_crm', '');
end $$;

comment on function admin.change_crm_connection(uuid, text) is
$$Pauses, resumes or removes the organization's connection.

change: "pause": requested pushes wait, and pushes on a change of stage are skipped. "resume": also after the vendor has
rejected the credential. "disconnect": deletes the connection with its credential. The syncs stay, and continue if the same
account is connected again. Raises PT404 organization_not_found and connection_not_found, PT422 unknown_change.$$;

grant execute on function admin.change_crm_connection(uuid, text) to leads_operator;
-- begin frozen sql/admin/crm_queue.sql
-- admin.crm_queue - lists the pushes that wait, failed or were skipped, for leads crm queue.
set local role leads_jobs;

create or replace function admin.crm_queue(organization_id uuid default null, row_limit integer default 1000)
returns table (
  organization_id uuid,
  lead_id uuid,
  vendor text,
  account text,
  status text,
  error_code text,
  error text,
  attempts integer,
  run_at text,
  created_at text
)
language sql stable security definer
begin atomic
  select
    s.organization_id, s.lead_id, s.vendor, s.account, s.status, s.error_code, s.error, s.attempts, app.utc_text(s.run_at),
    app.utc_text(s.created_at)
  from crm.sync as s
  where
    s.status <> 'ok' and (crm_queue.organization_id is null or s.organization_id = crm_queue.organization_id)
  order by s.created_at, s.id
  limit crm_queue.row_limit;
end;

comment on function admin.crm_queue(uuid, integer) is
  'The pushes of an organization that wait, failed or were skipped, the oldest first. organization_id: null for all '
  'organizations. error: the vendor''s message at the last attempt. run_at: when the push is due, or when its lease ends.';

grant execute on function admin.crm_queue(uuid, integer) to leads_operator;
-- begin frozen sql/admin/retry_crm.sql
-- admin.retry_crm - starts failed pushes again, or links a lead to a record, for leads crm retry.
set local role leads_jobs;

create or replace function admin.retry_crm(organization_id uuid, lead_id uuid default null, external_id text default null)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(retry_crm.organization_id)).organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_ids uuid[];
begin
  if retry_crm.external_id is not null and retry_crm.lead_id is null then
    raise sqlstate 'PT422' using
      message = 'lead_needed', hint = 'A record belongs to one lead, so the lead''s id is required.';
  end if;
  if retry_crm.external_id is not null and app.is_text(retry_crm.external_id, 255) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_external_id', hint = 'The record''s id must have 1 to 255 characters.';
  end if;
  -- A push with an unknown outcome is retried for one lead at a time: a person must check the CRM.
  with failed as (
    select s.id
    from crm.sync as s
    join crm.connection as c
      on c.organization_id = s.organization_id and c.vendor = s.vendor and c.account = s.account
    where
      s.organization_id = v_organization_id
      and (s.status in ('failed', 'skipped') or (s.status = 'pending' and retry_crm.external_id is not null))
      and case
        when retry_crm.lead_id is null then s.error_code <> 'outcome_unknown'
        else s.lead_id = retry_crm.lead_id
      end
    order by s.id
    for no key update of s
  )
  select array_agg(f.id) into v_ids from failed as f;
  if v_ids is null then
    raise sqlstate 'PT404' using message = 'push_not_found', hint = case
      when retry_crm.lead_id is null then
        'The organization''s connection has no failed or skipped push that can be retried. A push with outcome_unknown is '
        'retried for one lead at a time.'
      else
        'The organization''s connection has no failed or skipped push of this lead. To list the pushes, run: leads crm queue'
    end;
  end if;

  update crm.attempt as a
  set outcome = 'dismissed'
  where a.organization_id = v_organization_id and a.sync_id = any (v_ids) and a.outcome is null;
  update crm.sync as s
  set
    status = case when retry_crm.external_id is null then 'pending' else 'ok' end,
    external_id = retry_crm.external_id,
    last_synced_at = case when retry_crm.external_id is not null then v_now end,
    run_at = case when retry_crm.external_id is null then v_now end,
    error_code = null,
    error = null,
    begun_at = v_now,
    begun_after = s.attempts
  where s.organization_id = v_organization_id and s.id = any (v_ids);
  perform pg_notify('leads_crm', '');
  return cardinality(v_ids);
end $$;

comment on function admin.retry_crm(uuid, uuid, text) is
$$Starts failed and skipped pushes again, and returns their number.

lead_id: null for all pushes of the organization's connection except those with outcome_unknown. With a lead's id, a push with
outcome_unknown starts again, too: the caller has checked that the CRM has no record of the lead. external_id: the id of the
lead's record, which the caller has found in the CRM. The lead is linked to it, and nothing is sent. Raises PT404
organization_not_found and push_not_found, PT422 invalid_external_id and lead_needed.$$;

grant execute on function admin.retry_crm(uuid, uuid, text) to leads_operator;
-- begin frozen sql/admin/crm_syncs.sql
-- admin.crm_syncs - lists the pushes that leads crm reconcile compares with the CRM's records.
set local role leads_jobs;

create or replace function admin.crm_syncs(organization_id uuid)
returns table (lead_id uuid, status text, external_id text, error_code text, email text, last_synced_at timestamptz)
language sql stable security definer
begin atomic
  select s.lead_id, s.status, s.external_id, s.error_code, l.email, s.last_synced_at
  from crm.connection as c
  join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where c.organization_id = crm_syncs.organization_id
  order by s.id;
end;

comment on function admin.crm_syncs(uuid) is
  'All pushes of the organization''s connection, with the leads'' e-mail addresses.';

grant execute on function admin.crm_syncs(uuid) to leads_operator;
-- begin frozen sql/admin/delete_expired_answers.sql
-- admin.delete_expired_answers - deletes responses that were kept for more than a day.
set local role leads_jobs;

create or replace function admin.delete_expired_answers(batch integer)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted integer;
begin
  with expired as (
    select e.organization_id, e.key_digest
    from app.organization as o
    cross join lateral (
      select k.organization_id, k.key_digest
      from app.idempotency_key as k
      where k.organization_id = o.organization_id and k.created_at < now() - interval '24 hours'
      order by k.created_at
      limit delete_expired_answers.batch
    ) as e
    limit delete_expired_answers.batch
  )
  delete from app.idempotency_key as k
  using expired as e
  where
    k.organization_id = e.organization_id
    and k.key_digest = e.key_digest
    -- The condition is repeated, because a request may have claimed the row in the meantime.
    and k.created_at < now() - interval '24 hours';
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

comment on function admin.delete_expired_answers(integer) is
  'Deletes up to batch responses that are older than 24 hours, of all organizations. Returns the number of deleted rows. A '
  'worker calls it every hour, until the number is less than batch. A claim deletes only a few rows of its own organization.';

grant execute on function admin.delete_expired_answers(integer) to leads_worker;
-- begin frozen sql/admin/leads_to_erase.sql
-- admin.leads_to_erase - lists the leads that leads erase would erase.
set local role leads_jobs;

create or replace function admin.leads_to_erase(
  organization_id uuid default null,
  lead_id uuid default null,
  email text default null
)
returns table (
  organization_id uuid,
  lead_id uuid,
  name text,
  email text,
  is_deleted boolean,
  events bigint,
  copies json
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  with candidate as (
    select o.organization_id, f.id
    from app.organization as o
    cross join lateral (
      select l.id
      from app.lead as l
      where
        l.organization_id = o.organization_id
        and (
          l.id = leads_to_erase.lead_id
          or (leads_to_erase.lead_id is null and l.email_key = lower(leads_to_erase.email collate "C"))
        )
      union
      select e.lead_id
      from audit.event as e
      where e.organization_id = o.organization_id and e.lead_id = leads_to_erase.lead_id
      union
      -- Leads that had the address before, and deleted leads.
      select e.lead_id
      from audit.event as e
      where
        leads_to_erase.lead_id is null
        and leads_to_erase.organization_id is not null
        and e.organization_id = o.organization_id
        and e.lead_id is not null
        and lower(leads_to_erase.email collate "C") in (
          lower(e.payload #>> '{diff,email,from}' collate "C"), lower(e.payload #>> '{diff,email,to}' collate "C")
        )
    ) as f
    where o.organization_id = leads_to_erase.organization_id or leads_to_erase.organization_id is null
  )
  select
    c.organization_id,
    c.id,
    l.name,
    l.email,
    l.id is null,
    (select count(*) from audit.event as e where e.organization_id = c.organization_id and e.lead_id = c.id),
    crm.copies(c.organization_id, c.id)
  from candidate as c
  left join app.lead as l on l.organization_id = c.organization_id and l.id = c.id
  order by c.organization_id, c.id;
end;

comment on function admin.leads_to_erase(uuid, uuid, text) is
$$The lead with an id, or the leads with an e-mail address. The case of ASCII letters is ignored.

With organization_id, the address also finds the organization's deleted leads, and leads that had it before. name, email: null
if the lead was deleted. events: the number of the lead's events in the audit log. copies: the result of crm.copies.$$;

grant execute on function admin.leads_to_erase(uuid, uuid, text) to leads_operator;
-- begin frozen sql/admin/erase_lead.sql
-- admin.erase_lead - erases a lead's personal data, for leads erase --lead ID.
set local role leads_jobs;

create or replace function admin.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json)
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.wait_seconds, e.rows_gone, e.events, e.copies
  from audit.erase_lead(erase_lead.organization_id, erase_lead.lead_id) as e;
end;

comment on function admin.erase_lead(uuid, uuid) is 'Calls audit.erase_lead, which the operator may not execute.';

grant execute on function admin.erase_lead(uuid, uuid) to leads_operator;
-- begin frozen sql/admin/erase_organization.sql
-- admin.erase_organization - erases a batch of leads, for leads erase --organization ID.
set local role leads_jobs;

create or replace function admin.erase_organization(
  organization_id uuid,
  after uuid default null,
  batch integer default 100
)
returns table (last_lead_id uuid, leads integer, events bigint, wait_seconds numeric, is_done boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.known_organization(erase_organization.organization_id);
  v_organization_id uuid := v_organization.organization_id;
  -- A value in place of null, because a plan that handles both scans the log from its beginning.
  v_lead_id uuid := coalesce(erase_organization.after, '00000000-0000-0000-0000-000000000000');
  v_next_id uuid;
  v_done record;
  v_leads integer := 0;
  v_events bigint := 0;
begin
  -- The first batch ends all access: afterwards no request, analyst or push reaches the data.
  update auth.api_key as k
  set name = null, revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
  where k.organization_id = v_organization_id and (k.revoked_at is null or k.name is not null);
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  -- A worker locks its push and then the connection. This uses the same order, to avoid a deadlock.
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.status = 'in_progress'
  order by s.id
  for update;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  -- They are deleted here, because otherwise the erasure of each lead would search all of them.
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;

  -- The organization is already erased, and no lead is left.
  if
    v_organization.erased_at is not null
    and not exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    return query select null::uuid, 0, audit.erase_organization(v_organization_id), 0::numeric, true;
    return;
  end if;

  -- The log's leads come first, because it has the deleted ones, too. Leads without an event follow.
  for v_number in 1 .. greatest(erase_organization.batch, 1) loop
    v_next_id := (
      select e.lead_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id > v_lead_id
      order by e.lead_id
      limit 1
    );
    v_next_id := coalesce(v_next_id, (
      select l.id from app.lead as l where l.organization_id = v_organization_id order by l.id limit 1
    ));
    if v_next_id is null then
      v_events := v_events + audit.erase_organization(v_organization_id);
      return query select null::uuid, v_leads, v_events, 0::numeric, true;
      return;
    end if;
    select e.wait_seconds, e.rows_gone, e.events into v_done
    from audit.erase_lead(v_organization_id, v_next_id) as e;
    if v_done.wait_seconds > 0 then
      return query select v_lead_id, v_leads, v_events, v_done.wait_seconds, false;
      return;
    end if;
    v_leads := v_leads + (v_done.rows_gone > 0 or v_done.events > 0)::integer;
    v_events := v_events + v_done.events;
    v_lead_id := v_next_id;
  end loop;
  return query select v_lead_id, v_leads, v_events, 0::numeric, false;
end $$;

comment on function admin.erase_organization(uuid, uuid, integer) is
$$Erases up to batch leads of an organization. After the last lead, erases everything else that the organization has.

after: the lead after which the batch starts; null for the first batch. Every batch revokes the keys, unbinds the analysts, and
deletes the connection and the kept responses. last_lead_id: the value of after for the next batch; null if everything is
erased. leads, events: the numbers that this batch erased. wait_seconds: if above 0, a push has a lease for this time; call
the function again afterwards. is_done: whether everything is erased. To continue an interrupted erasure, start again with the
first batch. Raises PT404 organization_not_found.$$;

grant execute on function admin.erase_organization(uuid, uuid, integer) to leads_operator;
-- begin frozen sql/admin/seal_events.sql
-- admin.seal_events - seals the new events of one organization. A worker calls it every second.
set local role leads_jobs;

create or replace function admin.seal_events(after uuid default null, batch integer default 1000)
returns table (organization_id uuid, sealed integer) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
declare
  -- A value in place of null, because a plan that handles both scans the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_event audit.event;
  v_seal audit.seal;
  v_seals audit.seal[] := '{}';
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where u.organization_id > v_organization_id
      order by u.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- One sealer at a time works for an organization; a second sealer takes another organization.
    -- Sessions that write events don't wait: the lock of a foreign key check doesn't conflict.
    perform from app.organization as o where o.organization_id = v_organization_id for no key update skip locked;
    exit when found;
  end loop;

  select s.position, s.hash
  into v_seal.position, v_seal.hash
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_seal.position := coalesce(v_seal.position, 0);
  v_seal.hash := coalesce(v_seal.hash, sha256(uuid_send(v_organization_id)));

  -- An event that was put into the queue again has a seal, and would make every later insert fail.
  -- Only the first events are looked up, each by its key: the queue and the chain may be long.
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(
    select q.event_id
    from (
      select f.event_id from audit.unsealed as f where f.organization_id = v_organization_id order by f.event_id
      limit seal_events.batch
    ) as q
    where exists (
      select from audit.seal as s
      where s.organization_id = v_organization_id and s.event_id = q.event_id and s.created_at = app.id_time(q.event_id)
      offset 0
    )
  ));
  for v_event in
    select e.*
    from audit.unsealed as u
    -- An event that was removed before its seal stays in the queue, where leads doctor finds it.
    -- OFFSET prevents a merge join, which would read all events of the organization.
    cross join lateral (
      select e.* from audit.event as e
      where e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
      offset 0
    ) as e
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
  loop
    v_seal.position := v_seal.position + 1;
    v_seal.event_id := v_event.id;
    v_seal.event_hash := audit.event_hash(
      v_seal.position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
      v_event.lead_id, v_event.payload_digest, v_event.created_at
    );
    v_seal.hash := sha256(v_seal.hash || v_seal.event_hash);
    v_seal.created_at := v_event.created_at;
    v_seals := v_seals || v_seal;
  end loop;
  insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at)
  select v_organization_id, n.position, n.event_id, n.event_hash, n.hash, n.created_at
  from unnest(v_seals) as n;
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(select n.event_id from unnest(v_seals) as n));
  return query select v_organization_id, cardinality(v_seals);
end $$;

comment on function admin.seal_events(uuid, integer) is
$$Seals up to batch new events of one organization, the oldest first.

It takes the first organization with an id greater than "after" that has unsealed events; null: the first of all.
Returns no row if there is no such organization. sealed: the number of events; if it is less than batch, no committed event
of the organization is left. Several workers may call it at the same time.$$;

grant execute on function admin.seal_events(uuid, integer) to leads_worker, leads_operator;
-- begin frozen sql/admin/create_audit_partitions.sql
-- admin.create_audit_partitions - creates the audit log's partitions of this year and the next.
set local role leads_jobs;

create or replace function admin.create_audit_partitions()
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_year integer := extract(year from now() at time zone 'UTC');
begin
  perform audit.create_partitions(v_year);
  perform audit.create_partitions(v_year + 1);
end $$;

comment on function admin.create_audit_partitions() is
$$Creates the partitions of the audit log and its seals for this year and the next one, unless they exist.

Without a partition for the current year every write fails. Raises 55P03 if it can't get a lock within 2 seconds. The caller
then calls it again.$$;

grant execute on function admin.create_audit_partitions() to leads_worker, leads_operator;
-- begin frozen sql/audit/event.partitions.sql
-- audit.event - the partitions of this year and the next one, of the log and of its seals.
set local role leads_jobs;
do $$ begin perform admin.create_audit_partitions(); end $$;
-- begin frozen sql/admin/verify_chain.sql
-- admin.verify_chain - verifies a part of an organization's chain, for leads audit verify.
set local role leads_jobs;

create or replace function admin.verify_chain(
  organization_id uuid,
  after bigint default 0,
  "limit" api.seal_count default 1000,
  kept_head api.chain_head default null
)
returns table (
  holds boolean,
  verified_to bigint,
  next_after text,
  head text,
  unsealed bigint,
  code text,
  "position" bigint,
  event_id uuid,
  detail text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- This accepts an erased organization: its log is kept.
  perform admin.known_organization(verify_chain.organization_id);
  return query
  select
    v.holds, v.verified_to, v.next_after, v.head, v.unsealed,
    (v.fault).code, (v.fault)."position", (v.fault).event_id, (v.fault).detail
  from audit.chain_verdict(
    verify_chain.organization_id, verify_chain.after, verify_chain.limit, verify_chain.kept_head
  ) as v;
end $$;

comment on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) is
$$Verifies a part of an organization's chain: audit.chain_verdict, with the fault's fields in the same row.

after, "limit", kept_head: see audit.chain_verdict. Raises PT404 organization_not_found.$$;

grant execute on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) to leads_operator;
-- begin frozen sql/admin/chain_heads.sql
-- admin.chain_heads - lists the heads of the chains, for leads audit seal --export.
set local role leads_jobs;

create or replace function admin.chain_heads(organization_id uuid default null)
returns table (organization_id uuid, head text, sealed_at text, unsealed bigint) language sql stable security definer
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
begin atomic
  select
    o.organization_id,
    h.position || ':' || encode(h.hash, 'hex'),
    app.utc_text(h.sealed_at),
    (select count(*) from audit.unsealed as u where u.organization_id = o.organization_id)
  from app.organization as o
  left join lateral (
    select s.position, s.hash, s.sealed_at
    from audit.seal as s
    where s.organization_id = o.organization_id
    order by s.position desc
    limit 1
  ) as h on true
  where o.organization_id = chain_heads.organization_id or chain_heads.organization_id is null
  order by o.organization_id;
end;

comment on function admin.chain_heads(uuid) is
$$The head of an organization's chain; null: of every organization's.

head: position and hash, in the format that audit.chain_verdict takes; null if nothing is sealed yet. sealed_at: UTC.
unsealed: the number of events that have no seal yet.$$;

grant execute on function admin.chain_heads(uuid) to leads_operator;
-- begin frozen sql/admin/catalogue_entry.grants.sql
-- admin.catalogue_entry - the privileges: only the owner's functions may use the kept catalogue.
set local role leads_jobs;
revoke all on admin.catalogue_entry from leads_owner, leads_auth, leads_exec, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;
-- begin frozen sql/admin/role.sql
-- admin.role - the roles of auth.roles() with their attributes in this cluster.
set local role leads_jobs;

create or replace view admin.role with (security_invoker = true) as
select
  e.name,
  e.kind,
  e.kind in ('owner', 'sealed') as is_owner,
  e.definer_schemas,
  r.oid,
  r.rolcanlogin as can_login,
  r.rolinherit as inherits,
  r.rolsuper as is_superuser,
  r.rolbypassrls as bypasses_rls,
  r.rolcreaterole as can_create_roles,
  r.rolcreatedb as can_create_databases,
  r.rolreplication as can_replicate
from auth.roles() as e
left join pg_catalog.pg_roles as r on r.rolname = e.name;

comment on view admin.role is 'The roles of auth.roles() with their attributes. A role that does not exist has null attributes.';
-- begin frozen sql/admin/schema.sql
-- admin.schema - the schemas that leads doctor examines.
set local role leads_jobs;

create or replace view admin.schema with (security_invoker = true) as
select n.oid, quote_ident(n.nspname) as name, n.nspowner::regrole as owner, n.nspacl as acl
from pg_catalog.pg_namespace as n
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi')
  or n.nspowner in (select r.oid from admin.role as r);

comment on view admin.schema is 'The schemas of the application, and every other schema that belongs to one of its roles.';
-- begin frozen sql/admin/relation.sql
-- admin.relation - the tables, views and sequences in the schemas that leads doctor examines.
set local role leads_jobs;

create or replace view admin.relation with (security_invoker = true) as
select
  c.oid,
  c.oid::regclass::text as name,
  c.relkind as kind,
  case c.relkind
    when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
    else 'table'
  end as noun,
  c.relowner as owner_id,
  c.relacl as acl,
  c.reloptions as options,
  c.relpersistence as persistence,
  c.relrowsecurity as has_rls,
  c.relforcerowsecurity as forces_rls,
  c.relispartition as is_partition
from pg_catalog.pg_class as c
where c.relnamespace in (select s.oid from admin.schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S');

comment on view admin.relation is
$$The tables, partitions, views, foreign tables and sequences in the schemas of admin.schema.

name: with its schema if the caller's search_path is pg_catalog.$$;
-- begin frozen sql/admin/tenant_table.sql
-- admin.tenant_table - the tables that have rows of organizations.
set local role leads_jobs;

create or replace view admin.tenant_table with (security_invoker = true) as
select
  r.oid,
  r.name,
  coalesce(pg_partition_root(r.oid), r.oid)::regclass::text as root,
  r.is_partition,
  r.acl,
  r.has_rls,
  r.forces_rls,
  a.attnum as tenant_column
from admin.relation as r
join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
where r.kind in ('r', 'p');

comment on view admin.tenant_table is
$$The tables and partitions that have a column organization_id.

root: the partitioned table to which a partition belongs; for every other table its own name. tenant_column: the number of the
column organization_id.$$;
-- begin frozen sql/admin/membership.sql
-- admin.membership - every membership of a role in another role, in this cluster.
set local role leads_jobs;

create or replace view admin.membership with (security_invoker = true) as
select
  m.member as member_id,
  m.member::regrole as member,
  l.rolname as login_name,
  m.roleid::regrole as granted,
  m.grantor::regrole as grantor,
  r.kind as granted_kind,
  exists (select from admin.role as o where o.oid = m.member) as is_member_ours,
  -- PostgreSQL 15 has neither column: there every member may SET ROLE and inherits.
  coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
  coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
  to_jsonb(m) ? 'set_option' as has_options,
  l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating,
  l.rolsuper or l.rolbypassrls as bypasses_rls,
  format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal
from pg_catalog.pg_auth_members as m
join pg_catalog.pg_roles as l on l.oid = m.member
left join admin.role as r on r.oid = m.roleid;

comment on view admin.membership is
$$The memberships of roles in roles.

granted_kind: the kind that auth.roles() gives the granted role; null for a role of another application. is_migrating: the
member can log in and create roles, as the migrating login does. removal: SQL that removes the membership.$$;
-- begin frozen sql/admin/catalogue.sql
-- admin.catalogue - lists every object of our schemas with its definition, to detect drift.
set local role leads_jobs;

create or replace function admin.catalogue()
returns table (object text, definition text, removal text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
set jit = off
begin atomic
  with relation as (
    select
      r.oid, r.name, r.kind, r.noun, r.owner_id, r.owner_id::regrole as owner, r.acl, r.persistence, r.has_rls,
      r.forces_rls,
      (select string_agg(o.option, ', ' order by o.option) from unnest(r.options) as o (option)) as options
    from admin.relation as r
    -- A worker creates the audit log's partitions.
    where not r.is_partition
  ),
  attribute as (
    select
      a.attrelid as relation, a.attnum as position, quote_ident(a.attname) as name, a.attacl as acl,
      concat_ws(
        ' ',
        format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
        case a.attgenerated when 's' then 'generated always as' when 'v' then 'virtual as' else
          case a.attidentity when 'a' then 'identity always' when 'd' then 'identity' else
            case when d.oid is not null then 'default' end
          end
        end,
        pg_get_expr(d.adbin, d.adrelid),
        case when a.attnotnull then 'not null' end,
        'statistics ' || nullif(a.attstattarget, -1)
      ) as definition
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
  ),
  routine as (
    select
      p.oid, p.proowner as owner_id, p.proowner::regrole as owner, p.proacl as acl, p.prokind as kind,
      case p.prokind when 'a' then 'aggregate ' when 'p' then 'procedure ' else 'function ' end
      || p.oid::regprocedure as name
    from pg_catalog.pg_proc as p
    where p.pronamespace in (select s.oid from admin.schema as s)
  ),
  type as (
    select
      t.oid, format_type(t.oid, null) as name, t.typowner as owner_id, t.typowner::regrole as owner, t.typacl as acl,
      case t.typtype when 'd' then 'domain ' else 'type ' end || format_type(t.oid, null) as noun_and_name,
      case t.typtype
        when 'd' then concat_ws(
          ' ',
          'as', format_type(t.typbasetype, t.typtypmod),
          case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
          'default ' || t.typdefault,
          case when t.typnotnull then 'not null' end,
          (
            select string_agg(
              format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname
            )
            from pg_catalog.pg_constraint as c
            where c.contypid = t.oid and c.contype = 'c'
          )
        )
        when 'e' then format(
          'as enum (%s)',
          (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e where e.enumtypid = t.oid)
        )
        else format(
          'as (%s)',
          (select string_agg(a.name || ' ' || a.definition, ', ' order by a.position)
            from attribute as a where a.relation = t.typrelid)
        )
      end as definition
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_class as c on c.oid = t.typrelid
    left join pg_catalog.pg_type as b on b.oid = t.typbasetype
    where
      t.typnamespace in (select s.oid from admin.schema as s)
      and (t.typtype in ('d', 'e') or (t.typtype = 'c' and c.relkind = 'c'))
  ),
  acl as (
    select 'schema ' || s.name as target, '' as "column", s.owner::oid as owner_id, s.acl as items
    from admin.schema as s
    union all
    select case r.kind when 'S' then 'sequence ' else 'table ' end || r.name, '', r.owner_id, r.acl
    from relation as r
    union all
    select 'table ' || r.name, format(' (%s)', a.name), r.owner_id, a.acl
    from relation as r
    join attribute as a on a.relation = r.oid
    union all
    select 'routine ' || f.oid::regprocedure, '', f.owner_id, coalesce(f.acl, acldefault('f', f.owner_id))
    from routine as f
    union all
    select 'type ' || t.name, '', t.owner_id, coalesce(t.acl, acldefault('T', t.owner_id))
    from type as t
  ),
  -- An owner's privileges follow from the ownership.
  privilege as (
    select
      format('%s%s on %s', lower(x.privilege_type), a."column", a.target) as name,
      case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee,
      bool_or(x.is_grantable) as is_grantable
    from acl as a
    cross join lateral aclexplode(a.items) as x
    where x.grantee <> a.owner_id
    group by 1, 2
  )
  select 'server', 'PostgreSQL ' || current_setting('server_version_num')::integer / 10000, null::text

  union all
  select
    'role ' || r.name,
    format(
      'alter role %I %s;',
      r.name,
      concat_ws(
        ' ',
        case when r.is_superuser then 'superuser' else 'nosuperuser' end,
        case when r.inherits then 'inherit' else 'noinherit' end,
        case when r.can_create_roles then 'createrole' else 'nocreaterole' end,
        case when r.can_create_databases then 'createdb' else 'nocreatedb' end,
        case when r.can_login then 'login' else 'nologin' end,
        case when r.can_replicate then 'replication' else 'noreplication' end,
        case when r.bypasses_rls then 'bypassrls' else 'nobypassrls' end
      )
    ),
    null
  from admin.role as r
  where r.oid is not null

  -- The members of our roles aren't listed: analysts and the migrating login's name differ.
  union all
  select distinct
    format('membership of %I in %s', r.name, m.roleid::regrole),
    format('grant %s to %I;', m.roleid::regrole, r.name),
    format('revoke %s from %I;', m.roleid::regrole, r.name)
  from pg_catalog.pg_auth_members as m
  join admin.role as r on r.oid = m.member

  union all
  select 'schema ' || s.name, format('alter schema %s owner to %s;', s.name, s.owner), format('drop schema %s;', s.name)
  from admin.schema as s

  union all
  select
    format('grant %s to %s', p.name, p.grantee),
    format('grant %s to %s;', p.name, p.grantee),
    format('revoke %s from %s;', p.name, p.grantee)
  from privilege as p
  union all
  select
    format('grant option for %s to %s', p.name, p.grantee),
    format('grant %s to %s with grant option;', p.name, p.grantee),
    format('revoke grant option for %s from %s;', p.name, p.grantee)
  from privilege as p
  where p.is_grantable

  union all
  select
    format(
      'default privileges of %s on %s%s', d.defaclrole::regrole, t.noun,
      ' in ' || nullif(d.defaclnamespace, 0)::regnamespace
    ),
    (
      select string_agg(
        concat_ws(
          ' ', lower(x.privilege_type), 'to', case x.grantee when 0 then 'public' else x.grantee::regrole::text end
        ), ', ' order by x.privilege_type, x.grantee::regrole::text
      )
      from aclexplode(d.defaclacl) as x
    ),
    null
  from pg_catalog.pg_default_acl as d
  join (values
    ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'),
    ('L', 'large objects')
  ) as t (kind, noun) on t.kind = d.defaclobjtype
  where d.defaclrole in (select r.oid from admin.role as r)

  union all
  select
    r.noun || ' ' || r.name,
    case r.kind
      when 'v' then format(
        e'create or replace view %s%s as\n%s\nalter view %1$s owner to %4$s;',
        r.name, ' with (' || r.options || ')', pg_get_viewdef(r.oid), r.owner
      )
      when 'm' then format('owner %s as %s', r.owner, pg_get_viewdef(r.oid))
      when 'S' then format(
        'alter sequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s %s owner to %s;',
        r.name, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        case when s.seqcycle then 'cycle' else 'no cycle' end, r.owner
      )
      else format(
        'alter %s %s %s;',
        r.noun,
        r.name,
        concat_ws(
          ', ',
          format('owner to %s', r.owner),
          case when r.has_rls then 'enable row level security' else 'disable row level security' end,
          case when r.forces_rls then 'force row level security' else 'no force row level security' end,
          case when r.kind = 'r' then case r.persistence when 'u' then 'set unlogged' else 'set logged' end end,
          'set (' || r.options || ')'
        )
      )
    end,
    format('drop %s %s;', r.noun, r.name)
  from relation as r
  left join pg_catalog.pg_sequence as s on s.seqrelid = r.oid

  union all
  select
    format('column %s.%s', r.name, a.name),
    a.definition,
    format('alter table %s drop column %s;', r.name, a.name)
  from relation as r
  join attribute as a on a.relation = r.oid
  where r.kind in ('r', 'p', 'f')

  -- From PostgreSQL 18 on a column's NOT NULL is a constraint. It is listed with the column here.
  union all
  select
    format('constraint %I on %s', c.conname, r.name),
    format(
      e'alter table %s drop constraint if exists %I;\nalter table %1$s add constraint %2$I %3$s;',
      r.name, c.conname, pg_get_constraintdef(c.oid)
    ),
    format('alter table %s drop constraint %I;', r.name, c.conname)
  from relation as r
  join pg_catalog.pg_constraint as c on c.conrelid = r.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')

  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    concat_ws(
      e'\n',
      format('drop index if exists %s;', i.indexrelid::regclass),
      pg_get_indexdef(i.indexrelid) || ';',
      case when not i.indisvalid then '-- invalid' end,
      (
        select string_agg(
          format('alter index %s alter column %s set statistics %s;', i.indexrelid::regclass, a.attnum, a.attstattarget),
          e'\n' order by a.attnum
        )
        from pg_catalog.pg_attribute as a
        where a.attrelid = i.indexrelid and a.attstattarget >= 0
      )
    ),
    format('drop index %s;', i.indexrelid::regclass)
  from relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not exists (
    select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')
  )

  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    concat_ws(
      e'\n',
      format('drop trigger if exists %I on %s;', t.tgname, r.name),
      pg_get_triggerdef(t.oid) || ';',
      case t.tgenabled
        when 'A' then format('alter table %s enable always trigger %I;', r.name, t.tgname)
        when 'R' then format('alter table %s enable replica trigger %I;', r.name, t.tgname)
        when 'D' then format('alter table %s disable trigger %I;', r.name, t.tgname)
      end
    ),
    format('drop trigger %I on %s;', t.tgname, r.name)
  from relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  where not t.tgisinternal

  union all
  select
    format('policy %I on %s', p.polname, r.name),
    format(
      e'drop policy if exists %I on %s;\ncreate policy %1$I on %2$s as %3$s for %4$s to %5$s%6$s%7$s;',
      p.polname,
      r.name,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
      end,
      (
        select string_agg(
          case g.id when 0 then 'public' else g.id::regrole::text end, ', ' order by g.id::regrole::text
        )
        from unnest(p.polroles) as g (id)
      ),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    ),
    format('drop policy %I on %s;', p.polname, r.name)
  from relation as r
  join pg_catalog.pg_policy as p on p.polrelid = r.oid

  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    pg_get_ruledef(w.oid),
    format('drop rule %I on %s;', w.rulename, r.name)
  from relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'

  union all
  select
    f.name,
    case when f.kind = 'a' then format('owner %s', f.owner) else
      format(
        e'%s;\nalter routine %s owner to %s;', rtrim(pg_get_functiondef(f.oid), e'\n'), f.oid::regprocedure, f.owner
      )
    end,
    format('drop %s;', f.name)
  from routine as f

  union all
  select
    t.noun_and_name,
    format(e'create %s %s;\nalter %1$s owner to %3$s;', t.noun_and_name, t.definition, t.owner),
    format('drop %s;', t.noun_and_name)
  from type as t

  -- Every other kind of object in a schema, such as operators and collations. We have none.
  union all
  select distinct
    format('%s %s', replace(o.type, ' object', ''), o.identity),
    '',
    format('drop %s %s;', replace(o.type, ' object', ''), o.identity)
  from pg_catalog.pg_depend as d
  cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
  where
    d.refclassid = 'pg_catalog.pg_namespace'::regclass
    and d.refobjid in (select s.oid from admin.schema as s)
    and d.classid not in (
      'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_default_acl'::regclass
    );
end;

comment on function admin.catalogue() is
$$Every object of our schemas, every privilege on them, and our roles. The text doesn't depend on the session's settings.

definition: SQL that creates or restores the object and ends with a semicolon. If no single statement could, it is a
description without a semicolon. removal: SQL that removes the object; null if it can't be removed.$$;
-- begin frozen sql/admin/drift.sql
-- admin.drift - lists the objects that were changed since leads migrate kept the catalogue.
set local role leads_jobs;

create or replace function admin.drift()
returns table (object text, change text, remedy text, definition text, whole text)
language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with printed as (
    select true as is_live, c.object, c.definition, c.removal from admin.catalogue() as c
    union all
    select false, e.object, e.definition, null from admin.catalogue_entry as e
  ),
  -- After a restore, PostgreSQL prints fewer parentheses, and constants without a column name. The
  -- comparison ignores both, except in a function body that is stored as text.
  object as (
    select
      p.*,
      case
        when p.definition ~ '\nAS \$(function|procedure)' then p.definition
        else translate(
          regexp_replace(p.definition, '(true|false|''::[a-z ]+|NULL::[a-z ]+) AS "?\w+"?', '\1', 'g'), '()', ''
        )
      end as comparable
    from printed as p
  ),
  compared as (
    select
      coalesce(live.object, kept.object) as object,
      case when kept.object is null then 'new' when live.object is null then 'missing' else 'changed' end as change,
      kept.definition as kept,
      live.definition as live,
      live.removal
    from (select o.* from object as o where o.is_live) as live
    full join (select o.* from object as o where not o.is_live) as kept on kept.object = live.object
    where kept.comparable is distinct from live.comparable
  ),
  -- Definitions can only be compared with a kept catalogue of the same version of PostgreSQL.
  incomparable as (
    select c.change, c.kept from compared as c where c.object = 'server'
  ),
  -- Objects that are new or missing together with their parts, such as a table's columns.
  whole as (
    select c.object, c.change, regexp_replace(c.object, '^(materialized view|foreign table|\w+) ', '') as name
    from compared as c
    where
      c.change in ('new', 'missing')
      and c.object !~ '^(membership|grant|default privileges|column|constraint|index|trigger|policy|rule) '
  )
  select
    c.object,
    c.change,
    case
      when c.change = 'new' then coalesce(c.removal, 'Revert the change.')
      when c.change = 'missing' and c.object ~ '^(schema|table|sequence) ' then 'Restore it from a backup.'
      when c.kept like '%;' and not (c.change = 'changed' and c.object ~ '^(type|domain) ') then c.kept
      else 'Restore this definition: ' || rtrim(c.kept, ';')
    end,
    c.live,
    (
      select min(w.object)
      from whole as w
      where
        w.change = c.change
        and w.object <> c.object
        and (strpos(c.object || ' ', ' ' || w.name || ' ') > 0 or starts_with(c.object, 'column ' || w.name || '.'))
    )
  from compared as c
  where not exists (select from incomparable)
  union all
  select
    'catalogue',
    i.change,
    case
      when i.change = 'new' then 'leads migrate'
      else format('It was kept under %s. Compare the schema with schema.sql, then run: leads doctor --accept', i.kept)
    end,
    null,
    null
  from incomparable as i
  order by 1;
end;

comment on function admin.drift() is
$$The objects that differ from the catalogue that leads migrate has kept.

change: "new", "missing" or "changed". remedy: SQL that restores the object and ends with a semicolon, or else a sentence.
definition: the present definition; null if the object is missing. whole: the object that this one is a part of, if that is
new or missing too. If no catalogue is kept, there is one row: "catalogue", "new". If another version of PostgreSQL kept the
catalogue: "catalogue", "changed".$$;
-- begin frozen sql/admin/keep_catalogue.sql
-- admin.keep_catalogue - stores the present catalogue, which admin.drift() compares with later.
set local role leads_jobs;

create or replace function admin.keep_catalogue(drifted jsonb default '{}')
returns void language sql volatile security definer
set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with live as (
    select c.object, c.definition from admin.catalogue() as c
  ),
  -- The migrations did not change an object that differed before them and is still the same. Its
  -- definition isn't stored, so admin.drift() continues to list it.
  adrift as (
    select d.object
    from jsonb_each_text(keep_catalogue.drifted) as d (object, definition)
    left join live as l on l.object = d.object
    where l.definition is not distinct from d.definition
  ),
  gone as (
    delete from admin.catalogue_entry as e
    where
      not exists (select from live as l where l.object = e.object)
      and not exists (select from adrift as a where a.object = e.object)
  )
  insert into admin.catalogue_entry (object, definition)
  select l.object, l.definition
  from live as l
  where not exists (select from adrift as a where a.object = l.object)
  on conflict (object) do update set definition = excluded.definition;
end;

comment on function admin.keep_catalogue(jsonb) is
$$Stores the present catalogue. Only the migrating login may execute it: an operator must not accept changes made by others.

drifted: definition by object, as admin.drift() returned them before the migrations. Objects that still have these definitions
are not stored.$$;
-- begin frozen sql/admin/api_findings.sql
-- admin.api_findings - the findings about the API's version and routes.
set local role leads_jobs;

create or replace function admin.api_findings(release integer)
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with route as (
    select
      r.method, r.path, r.function, o.request, o.answer,
      format('route %s %s', r.method, r.path) as subject,
      format('delete from api.route where method = %L and path = %L; notify leads_routes;', r.method, r.path) as removal,
      f.oid::regprocedure as name, f.oid, f.provolatile as volatility, f.prorettype as returned
    from api.route as r
    left join api.operation as o on o.function = r.function
    left join pg_catalog.pg_proc as f
      -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
      on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
  )
  select
    'version',
    format('The schema is at version %s, and this release needs %s.', api.schema_version(), api_findings.release),
    'leads migrate'
  where api.schema_version() < api_findings.release
  union all
  select
    'version',
    format('The schema is at version %s, and this release goes up to %s.', api.schema_version(), api_findings.release),
    'Install the release that the schema was migrated by.'
  where api.schema_version() > api_findings.release
  union all
  select r.subject, format('There is no function %s, or there are several with this name.', r.function), r.removal
  from route as r
  where r.oid is null
  union all
  select r.subject, format('%s doesn''t return api.answer.', r.name), r.removal
  from route as r
  where r.returned <> 'api.answer'::regtype
  union all
  select
    r.subject,
    format('There is no composite type %s, so the reference shows any JSON.', t.name),
    format('update api.operation set %I = null where function = %L; notify leads_routes;', t.field, r.function)
  from route as r
  cross join lateral (values ('request', r.request), ('answer', r.answer)) as t (field, name)
  where t.name is not null and to_regclass(t.name) is null
  union all
  select
    'function ' || r.name,
    format('It is VOLATILE, and GET %s calls it: a GET must not write.', r.path),
    format('alter function %s stable;', r.name)
  from route as r
  where r.method = 'GET' and r.volatility = 'v'
  union all
  select
    format('grant execute on routine %s to leads_api', r.name),
    format('It is missing, and %s %s needs it.', r.method, r.path),
    format('grant execute on routine %s to leads_api;', r.name)
  from route as r
  join pg_catalog.pg_roles as l on l.rolname = 'leads_api'
  where not has_function_privilege(l.oid, r.oid, 'execute');
end;

comment on function admin.api_findings(integer) is
$$Findings of the groups version and routes, in the form of admin.findings().

release: the number of the newest migration that the calling program has. Null: the version is not checked.$$;
-- begin frozen sql/admin/role_findings.sql
-- admin.role_findings - the findings about the roles' attributes and memberships.
set local role leads_jobs;

create or replace function admin.role_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'role ' || r.name,
    'The role doesn''t exist.',
    format('create role %I %s;', r.name, case r.kind when 'login' then 'login' else 'nologin' end)
  from admin.role as r
  where r.oid is null
  union all
  select
    'role ' || r.name,
    format('The role has the attribute %s, which it doesn''t need.', a.name),
    format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
  from admin.role as r
  cross join lateral (values
    ('SUPERUSER', r.is_superuser), ('BYPASSRLS', r.bypasses_rls), ('CREATEROLE', r.can_create_roles),
    ('CREATEDB', r.can_create_databases), ('REPLICATION', r.can_replicate)
  ) as a (name, is_held)
  where a.is_held
  union all
  select
    'role ' || r.name,
    'The role can log in. A role that owns objects must not.',
    format('alter role %I nologin;', r.name)
  from admin.role as r
  where r.can_login and r.kind <> 'login'
  union all
  select 'role ' || r.name, 'The role can''t log in.', format('alter role %I login;', r.name)
  from admin.role as r
  where not r.can_login and r.kind = 'login'
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    format('%s must not be a member of any role, because it gets that role''s rights.', m.member),
    m.removal
  from admin.membership as m
  where m.is_member_ours
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    case m.granted_kind
      when 'sealed' then 'Nobody may act as this role: only its own functions write or erase the audit log.'
      when 'owner' then 'Only the migrating login may act as this role, which owns objects.'
      else 'The member can act as this login.'
    end,
    m.removal
  from admin.membership as m
  where
    not m.is_member_ours
    -- The creator of a role keeps a membership with ADMIN OPTION alone, which can't be revoked.
    and (m.may_set or m.inherits)
    and (m.granted_kind in ('sealed', 'login') or (m.granted_kind = 'owner' and not m.is_migrating))
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    'The analyst may SET ROLE to the group. The limits of the analyst''s own login then no longer apply.',
    format('grant %s to %s with inherit true, set false granted by %s;', m.granted, m.member, m.grantor)
  from admin.membership as m
  where m.granted_kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
  union all
  select
    'role ' || m.member,
    'The analyst is a superuser or has BYPASSRLS, so row-level security doesn''t apply.',
    format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member)
  from admin.membership as m
  where m.granted_kind = 'group' and m.bypasses_rls and not m.is_migrating;
end;

comment on function admin.role_findings() is 'Findings about the roles of auth.roles(), in the form of admin.findings().';
-- begin frozen sql/admin/row_security_findings.sql
-- admin.row_security_findings - the tables and views that row-level security doesn't protect.
set local role leads_jobs;

create or replace function admin.row_security_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'table ' || t.name,
    'Row-level security is disabled: every role that may read the table reads the rows of all organizations.',
    format('alter table %s enable row level security;', t.name)
  from admin.tenant_table as t
  where not t.has_rls
  union all
  select
    'table ' || t.name,
    'Row-level security isn''t forced, so it doesn''t apply to the table''s owner.',
    format('alter table %s force row level security;', t.name)
  from admin.tenant_table as t
  where not t.forces_rls
  union all
  select
    'view ' || v.name,
    'The view reads with its owner''s rights and not with those of the caller.',
    format('alter view %s set (security_invoker = true);', v.name)
  from admin.relation as v
  where v.kind = 'v' and not coalesce(v.options @> array['security_invoker=true'], false)
  union all
  select
    format('%s %s', r.noun, r.name),
    format('Row-level security can''t protect a %s.', r.noun),
    format('drop %s %s;', r.noun, r.name)
  from admin.relation as r
  where r.kind in ('m', 'f')
  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    'A rule rewrites statements on the table, and may discard them.',
    format('drop rule %I on %s;', w.rulename, r.name)
  from admin.relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where r.kind not in ('v', 'm') and w.rulename <> '_RETURN';
end;

comment on function admin.row_security_findings() is
  'Findings about tables, views and rules that defeat row-level security, in the form of admin.findings().';
-- begin frozen sql/admin/policy_findings.sql
-- admin.policy_findings - the findings about policies that aren't of a reviewed form.
set local role leads_jobs;

create or replace function admin.policy_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with reviewed (role, command, expression) as (
    -- These roles only own functions that know no organization yet, or work for all of them.
    select r.name, null, 'true'
    from (values ('leads_auth'), ('leads_jobs'), ('leads_audit'), ('leads_eraser')) as r (name)
    union all
    select
      'leads_exec', s.command,
      format('(organization_id = ( SELECT auth.organization_id(%L::text) AS organization_id))', s.scope)
    -- Every scope may read.
    from (values ('read', 'r'), ('write', null), ('admin', null)) as s (scope, command)
    union all
    select
      'leads_bi', 'r', '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'
  ),
  -- One row for each role and expression of a permissive policy. Restrictive ones permit nothing.
  permission as (
    select
      t.name as "table", p.polname as policy, p.polcmd as command, r.rolname as role, e.expression
    from admin.tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') as expression
      where p.polcmd <> 'a'
      union
      select coalesce(pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), 'true')
      where p.polcmd not in ('r', 'd')
    ) as e
  )
  select
    format('policy %I on %s', p.policy, p."table"),
    case
      when p.role is null then 'The policy applies to every role.'
      when p.expression = 'true' then format('The policy gives %s the rows of all organizations.', p.role)
      else format('The policy isn''t of a reviewed form: %s', p.expression)
    end,
    format('drop policy %I on %s;', p.policy, p."table")
  from permission as p
  where
    not exists (
      select
      from reviewed as r
      where
        r.role = p.role
        and r.expression = p.expression
        and p.command::text = coalesce(r.command, p.command::text)
    );
end;

comment on function admin.policy_findings() is
$$Findings about permissive policies on tenant tables, in the form of admin.findings().

The remedy drops the policy; admin.findings() replaces it by the kept definition if there is one.$$;
-- begin frozen sql/admin/analyst_findings.sql
-- admin.analyst_findings - the findings about analysts' logins and the tables that they read.
set local role leads_jobs;

create or replace function admin.analyst_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'role ' || m.member,
    'The analyst''s login has no organization, so it reads nothing.',
    m.removal
  from admin.membership as m
  where
    m.granted_kind = 'group'
    and (m.may_set or m.inherits)
    and not m.is_member_ours
    and not m.is_migrating
    and not exists (
      select from auth.analyst as a where a.role_oid = m.member_id and a.role_name::text = m.login_name::text
    )
  union all
  select
    'analyst ' || quote_ident(a.role_name),
    'The cluster has no such login, or a new login with the same name: the login was dropped, or a dump was restored.',
    format('leads bi revoke %s (then, if the analyst still needs it, leads bi create)', a.role_name)
  from auth.analyst as a
  where not exists (
    select from pg_catalog.pg_roles as r where r.oid = a.role_oid and r.rolname = a.role_name
  )
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    'An analyst''s login must not be a member of any role but leads_bi, because it gets that role''s rights.',
    m.removal
  from admin.membership as m
  join auth.analyst as a on a.role_oid = m.member_id
  where m.granted_kind is distinct from 'group'
  union all
  select
    'role ' || quote_ident(r.rolname),
    format('The analyst''s login has the attribute %s, which it doesn''t need.', x.name),
    format('alter role %I no%s;', r.rolname, lower(x.name))
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid
  cross join lateral (values
    ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
  ) as x (name, is_held)
  where x.is_held
  union all
  select
    'table ' || t.name,
    'Analysts may read the table, and no restrictive policy limits them to their organization.',
    format(
      'create policy %I on %s as restrictive for all to %I '
      'using ((select auth.analyst_organization_id()) = organization_id);',
      c.relname || '_bi_all', t.name, g.name
    )
  from admin.tenant_table as t
  join pg_catalog.pg_class as c on c.oid = t.oid
  join admin.role as g on g.kind = 'group'
  where
    exists (
      select from aclexplode(t.acl) as x where x.grantee = g.oid
      union all
      select
      from pg_catalog.pg_attribute as a
      cross join lateral aclexplode(a.attacl) as x
      where a.attrelid = t.oid and x.grantee = g.oid
    )
    and not exists (
      select
      from pg_catalog.pg_policy as p
      where
        p.polrelid = t.oid
        and not p.polpermissive
        and p.polcmd = '*'
        and p.polroles = array[g.oid]
        and pg_get_expr(p.polqual, p.polrelid)
          = '(( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id)'
    );
end;

comment on function admin.analyst_findings() is
  'Findings about the logins of auth.analyst and the tables that leads_bi reads, in the form of admin.findings().';
-- begin frozen sql/admin/trigger_findings.sql
-- admin.trigger_findings - the findings about triggers that record or refuse changes.
set local role leads_jobs;

create or replace function admin.trigger_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16.
  with expected_trigger as (
    select
      t.oid, t.name as "table", t.root, t.is_partition, '_900_record'::name as name, false as is_always,
      -- A new score is recorded with its lead, and a score is never updated.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type,
      -- An erasure writes its own event.
      case
        when t.name in ('app.lead', 'scoring.signal', 'scoring.score', 'crm.sync')
        then '(CURRENT_USER <> ''leads_eraser''::name)'
      end as condition
    from admin.tenant_table as t
    where
      not t.is_partition
      -- Kept answers expire after a day; attempts are a log of their own; and the audit log.
      and t.name not in ('app.idempotency_key', 'crm.attempt', 'audit.event', 'audit.unsealed', 'audit.seal')
    union all
    select t.oid, t.name, t.root, t.is_partition, g.trigger, g.is_always, null, null
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('app.lead', '_110_check_first_score', false),
      ('app.lead', '_120_check_score', false),
      ('app.lead', '_600_keep_first_score', false),
      ('app.lead', '_610_keep_set_score', false),
      ('app.lead', '_910_push_first_stage', false),
      ('app.lead', '_920_push_stage', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('crm.attempt', '_100_refuse_truncate', false),
      ('crm.attempt', '_110_keep_outcome', false),
      ('crm.connection', '_100_refuse_truncate', false),
      ('crm.sync', '_100_refuse_truncate', false),
      ('crm.sync', '_110_keep_identity', false),
      ('crm.sync', '_120_keep_outcome', false),
      ('crm.sync', '_130_count_up', false),
      ('crm.sync', '_140_lease_by_attempt', false),
      ('scoring.model', '_100_refuse_truncate', false),
      ('scoring.model', '_130_keep_active', false),
      ('scoring.model', '_140_keep_history', false),
      ('scoring.score', '_100_refuse_truncate', false),
      ('scoring.score', '_110_refuse_change', false),
      ('scoring.score', '_120_check', false),
      ('scoring.score', '_500_apply', false),
      ('scoring.signal', '_100_refuse_truncate', false),
      ('audit.event', '_100_refuse_change', true),
      ('audit.event', '_105_refuse_delete', true),
      ('audit.event', '_110_refuse_truncate', true),
      ('audit.event', '_120_check_erasure', true),
      ('audit.seal', '_100_refuse_change', true),
      ('audit.seal', '_110_refuse_truncate', true),
      ('audit.unsealed', '_100_refuse_truncate', false)
    ) as g ("table", trigger, is_always)
    join admin.tenant_table as t on t.name = g."table"
    union all
    -- A statement that names a partition fires the partition's statement triggers, not the parent's.
    select t.oid, t.name, t.root, t.is_partition, '_100_refuse_change', true, null, null
    from admin.tenant_table as t
    where t.is_partition and t.root in ('audit.event', 'audit.seal')
  )
  select
    format('trigger %I on %s', e.name, e."table"),
    case e.name
      when '_900_record' then 'The trigger doesn''t exist: the audit log doesn''t record changes of the table.'
      else 'The trigger doesn''t exist: changes that must be refused or checked are not.'
    end,
    case
      -- The kept catalogue and the migrations have no partitions: see audit.create_partitions.
      when e.is_partition then format(
        'create trigger %1$I before update or delete or truncate on %2$s for each statement '
        'execute function audit.tg_refuse(%3$L); alter table %2$s enable always trigger %1$I;',
        e.name, e."table", format('Use %s, which is append-only.', e.root)
      )
      else 'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'
    end
  from expected_trigger as e
  where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.name)
  union all
  select
    format('trigger %I on %s', e.name, e."table"),
    'The trigger doesn''t fire for every change, so the audit log doesn''t record all of them.',
    'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'
  from expected_trigger as e
  join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.name
  join pg_catalog.pg_proc as f on f.oid = t.tgfoid
  where
    e.name = '_900_record'
    and (
      t.tgtype & 31 <> e.type
      or e.condition is distinct from substring(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ')
      or t.tgattr::text <> ''
      or f.pronamespace <> 'audit'::regnamespace
    )
  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    case
      when t.tgenabled = 'D' then 'The trigger is disabled.'
      when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
      else 'The trigger doesn''t fire if session_replication_role is replica.'
    end,
    format('alter table %s enable %strigger %I;', r.name, case when e.is_always then 'always ' end, t.tgname)
  from admin.relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  left join expected_trigger as e on e.oid = r.oid and e.name = t.tgname
  where
    (t.tgenabled in ('D', 'R') or (e.is_always and t.tgenabled <> 'A'))
    -- admin.partition_findings compares the trigger of a partition with that of its parent table.
    and (t.tgparentid = 0 or t.tgisinternal);
end;

comment on function admin.trigger_findings() is
$$Findings about triggers that don't exist or don't always fire, in the form of admin.findings().

If a kept definition of the trigger exists, admin.findings() uses it as the remedy.$$;
-- begin frozen sql/admin/key_findings.sql
-- admin.key_findings - the findings about keys and indexes that don't begin with organization_id.
set local role leads_jobs;

create or replace function admin.key_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    format('index %s on %s', i.indexrelid::regclass, t.name),
    'The index doesn''t begin with organization_id: EXPLAIN shows one organization what others have.',
    format('drop index %s;', i.indexrelid::regclass)
  from admin.tenant_table as t
  join pg_catalog.pg_index as i on i.indrelid = t.oid
  where
    i.indkey[0] <> t.tenant_column
    and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
  union all
  select
    format('constraint %I on %s', c.conname, t.name),
    case c.contype
      when 'f' then 'The foreign key doesn''t begin with organization_id: it can refer to another organization''s row.'
      else 'The key doesn''t begin with organization_id: EXPLAIN shows one organization what others have.'
    end,
    format('alter table %s drop constraint %I;', t.name, c.conname)
  from admin.tenant_table as t
  join pg_catalog.pg_constraint as c on c.conrelid = t.oid
  left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
  where
    t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
    -- These keys find the organization, so they can't begin with it.
    and c.conname not in ('api_key_digest_is_unique', 'analyst_role_oid_is_unique');
end;

comment on function admin.key_findings() is
$$Findings about keys and indexes of tenant tables, in the form of admin.findings().

The remedy drops the key; admin.findings() replaces it by the kept definition if there is one.$$;
-- begin frozen sql/admin/statistics_findings.sql
-- admin.statistics_findings - findings about statistics of tenant tables, and invalid indexes.
set local role leads_jobs;

create or replace function admin.statistics_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    format('column %s.%I', t.name, a.attname),
    'ANALYZE collects statistics of the column: EXPLAIN shows one organization what others have.',
    format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
  from admin.tenant_table as t
  join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where coalesce(a.attstattarget, -1) <> 0
  union all
  select
    format('index %s on %s', i.indexrelid::regclass, t.name),
    'ANALYZE collects statistics of an expression in the index: EXPLAIN shows one organization what others have.',
    format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
  from admin.tenant_table as t
  join pg_catalog.pg_index as i on i.indrelid = t.oid
  join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
  where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
  union all
  select
    format('statistics %I.%I', n.nspname, s.stxname),
    'ANALYZE collects statistics of several columns: EXPLAIN shows one organization what others have.',
    format('drop statistics %I.%I;', n.nspname, s.stxname)
  from admin.tenant_table as t
  join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
  join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    'The index is invalid, so no query uses it: CREATE INDEX CONCURRENTLY did not finish.',
    format('reindex index %s;', i.indexrelid::regclass)
  from admin.relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not i.indisvalid;
end;

comment on function admin.statistics_findings() is
  'Findings about statistics of tenant tables and about invalid indexes, in the form of admin.findings().';
-- begin frozen sql/admin/function_findings.sql
-- admin.function_findings - the findings about functions' owners, rights and search_path.
set local role leads_jobs;

create or replace function admin.function_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours, coalesce(n.nspname = any (r.definer_schemas), false) as may_be_definer,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join admin.schema as s on s.oid = n.oid
    left join admin.role as r on r.oid = o.oid and r.is_owner
    where s.oid is not null or r.oid is not null
  ),
  -- The usual owner of a SECURITY DEFINER function, for the schemas that may have one.
  definer as (
    select s.schema, min(r.name) as owner
    from admin.role as r
    cross join lateral unnest(r.definer_schemas) as s (schema)
    group by s.schema
  )
  select
    'function ' || f.name,
    'The caller''s search_path or temporary objects decide what the names in the function mean.',
    format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name)
  from routine as f
  where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
  union all
  select
    format('grant execute on routine %s to public', f.name),
    'Every role may execute the function.',
    format('revoke execute on routine %s from public;', f.name)
  from routine as f
  where
    f.is_ours
    -- leads serve calls it to check its own login, whatever login that is.
    and f.name::text <> 'api.session_faults()'
    and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
  union all
  select
    'function ' || f.name,
    format('The function belongs to %s.', f.owner),
    format('alter routine %s owner to %I;', f.name, coalesce(d.owner, 'leads_owner'))
  from routine as f
  left join definer as d on d.schema = f.schema
  where
    f.is_ours
    and (not f.is_owner_ours or (f.is_definer and d.schema is not null and not f.may_be_definer))
    -- Only the owner of the audit log can add a partition to it.
    and (f.name::text, f.owner) <> ('audit.create_partitions(integer)', 'leads_owner')
  union all
  select
    'function ' || f.name,
    format('The function is SECURITY DEFINER, with the rights of %s. No function in this schema needs that.', f.owner),
    format('alter routine %s security invoker;', f.name)
  from routine as f
  where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
  union all
  select
    format('%s %s', k.noun, c.oid::regclass),
    format('It belongs to %s, but it is in a schema of another application.', c.relowner::regrole),
    format('drop %s %s;', k.noun, c.oid::regclass)
  from pg_catalog.pg_class as c
  join admin.role as r on r.oid = c.relowner
  join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
    on k.kind = c.relkind
  -- admin.partition_findings moves a partition back.
  where c.relnamespace not in (select s.oid from admin.schema as s) and not c.relispartition
  union all
  select
    'function ' || f.name,
    format('It belongs to %s, but it is in a schema of another application.', f.owner),
    format('drop routine %s;', f.name)
  from routine as f
  where f.is_owner_ours and not f.is_ours
  union all
  select
    'function ' || f.name,
    'The function is marked as leakproof: the planner may give it rows that a policy hides.',
    format('/* as a superuser */ alter function %s not leakproof;', f.name)
  from routine as f
  where f.is_ours and f.is_leakproof
  union all
  select
    format('default privileges of %s on functions', r.name),
    'Every role may execute each function that this role creates.',
    format('alter default privileges for role %I revoke execute on functions from public;', r.name)
  from admin.role as r
  left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
  where
    r.is_owner
    and r.oid is not null
    and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0);
end;

comment on function admin.function_findings() is
  'Findings about functions, and about objects outside of our schemas, in the form of admin.findings().';
-- begin frozen sql/admin/grant_findings.sql
-- admin.grant_findings - the findings about privileges that no login needs.
set local role leads_jobs;

create or replace function admin.grant_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with privilege as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as name, x.grantee
    from admin.relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from admin.relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %s', s.name), true, lower(x.privilege_type), x.grantee
    from admin.schema as s
    cross join lateral aclexplode(s.acl) as x
  )
  select
    format('grant %s on %s to %s', p.name, p.target, r.name),
    case
      when p.is_schema then 'The role can create objects that take the place of ours.'
      else 'The login must access tables through functions only.'
    end,
    format('revoke %s on %s from %I;', p.name, p.target, r.name)
  from privilege as p
  join admin.role as r on r.oid = p.grantee
  where
    case
      when p.is_schema then p.name = 'create' and r.kind in ('login', 'group')
      else r.kind = 'login'
    end
  union all
  select
    format('grant %s on %s to public', p.name, p.target),
    'Every role has the privilege.',
    format('revoke %s on %s from public;', p.name, p.target)
  from privilege as p
  where p.grantee = 0
  union all
  select
    format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
    case x.privilege_type
      when 'CREATE' then 'The role can create schemas, and in them functions that take the place of others.'
      else 'The role can create temporary objects, which take the place of others if a search_path permits it.'
    end,
    case
      when r.name is null and x.privilege_type = 'TEMPORARY'
      then 'As a superuser, run in this database: psql -f app/superuser.sql'
      else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
    end
  from pg_catalog.pg_database as d
  cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
  left join admin.role as r on r.oid = x.grantee
  where
    d.datname = current_database()
    and x.privilege_type in ('CREATE', 'TEMPORARY')
    and (x.grantee = 0 or r.kind in ('login', 'group'))
  union all
  select
    format('grant %s on schema public to public', lower(x.privilege_type)),
    'No role may use the schema public, which stays empty.',
    'As a superuser, run in this database: psql -f app/superuser.sql'
  from pg_catalog.pg_namespace as n
  cross join lateral aclexplode(n.nspacl) as x
  where n.nspname = 'public' and x.grantee = 0
  union all
  select
    format('grant execute on function %s to public', f.oid::regprocedure),
    'Every role can store data in large objects, which no policy protects.',
    'As a superuser, run in this database: psql -f app/superuser.sql'
  from pg_catalog.pg_proc as f
  cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
  where
    f.pronamespace = 'pg_catalog'::regnamespace
    and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
    and x.grantee = 0
  union all
  select
    format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
    'The role can change a setting that only superusers may change.',
    format(
      '/* as a superuser */ revoke %s on parameter %s from %s;',
      lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
    )
  from pg_catalog.pg_parameter_acl as p
  cross join lateral aclexplode(p.paracl) as x
  left join admin.role as r on r.oid = x.grantee
  where x.grantee = 0 or r.oid is not null;
end;

comment on function admin.grant_findings() is 'Findings about privileges, in the form of admin.findings().';
-- begin frozen sql/admin/seal_findings.sql
-- admin.seal_findings - the findings about events that have no seal.
set local role leads_jobs;

create or replace function admin.seal_findings()
returns table (subject text, finding text, remedy text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  -- A worker seals new events every second.
  select
    'organization ' || o.organization_id,
    format(
      'Events without a seal: %s. The oldest is of %s. A change of these events can''t be detected.',
      q.events, app.utc_text(q.since)
    ),
    'Start a worker (leads worker), or run once: leads audit seal'
  from app.organization as o
  cross join lateral (
    select count(*) as events, min(e.created_at) as since
    from audit.unsealed as u
    join audit.event as e
      on e.organization_id = u.organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
    where u.organization_id = o.organization_id
  ) as q
  where q.since < now() - interval '1 minute'
  union all
  select
    'organization ' || u.organization_id,
    format('The event %s was removed from the audit log before it was sealed.', u.event_id),
    format('Find out who removed it. To list the faults, run: leads audit verify --organization %s', u.organization_id)
  from audit.unsealed as u
  where not exists (select from audit.event as e where e.organization_id = u.organization_id and e.id = u.event_id);
end;

comment on function admin.seal_findings() is
$$Findings about events of the audit log that have waited for their seal for more than a minute, or that were removed before.

In the form of admin.findings().$$;
-- begin frozen sql/admin/partition_findings.sql
-- admin.partition_findings - the findings about the partitions of the audit log.
set local role leads_jobs;

create or replace function admin.partition_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
begin atomic
  with attached as (
    select
      c.oid, c.oid::regclass::text as name, p.oid as parent, p.relname as root, c.relnamespace as schema_id,
      c.relname as own_name, c.relkind as kind, c.relpersistence as persistence, c.relowner as owner_id, c.relacl as acl,
      p.relowner as parent_owner_id, b.bound, b.year,
      b.bound is not distinct from format(
        'FOR VALUES FROM (''%s-01-01 00:00:00+00'') TO (''%s-01-01 00:00:00+00'')', b.year, b.year + 1
      ) as is_year,
      format('%s_%s', p.relname, b.year) as expected_name
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    join pg_catalog.pg_class as p on p.oid = i.inhparent
    cross join lateral (
      select d.bound, substring(d.bound, '^FOR VALUES FROM \(''(\d{4})-')::integer as year
      from (select pg_get_expr(c.relpartbound, c.oid) as bound) as d
    ) as b
    where i.inhparent in (to_regclass('audit.event'), to_regclass('audit.seal')) and not i.inhdetachpending
  ),
  needed as (
    select t.name as root, y.year, format('audit.%s_%s', t.name, y.year) as name
    from (values ('event'), ('seal')) as t (name)
    cross join lateral (
      select extract(year from now() at time zone 'UTC')::integer + n as year from generate_series(0, 1) as n
    ) as y
  )
  select
    'table ' || n.name,
    format('The partition of audit.%s for %s doesn''t exist. Without it every write of that year fails.', n.root, n.year),
    case
      when to_regclass(n.name) is null then 'select admin.create_audit_partitions();'
      when exists (select from attached as a where a.oid = to_regclass(n.name))
      then format('The partition has other bounds: detach it, and attach it for the year %s.', n.year)
      else format(
        'alter table audit.%s attach partition %s for values from (''%s-01-01 00:00:00Z'') to (''%s-01-01 00:00:00Z'');',
        n.root, n.name, n.year, n.year + 1
      )
    end
  from needed as n
  where not exists (select from attached as a where a.root = n.root and a.year = n.year and a.is_year)
  union all
  select 'table ' || a.name, f.finding, f.remedy
  from attached as a
  cross join lateral (values
    (
      not a.is_year or a.kind <> 'r',
      format('A partition of audit.%s must have the rows of one year: %s', a.root, a.bound),
      format('Detach it, and attach it for one year: alter table audit.%s detach partition %s', a.root, a.name)
    ),
    (
      a.is_year and a.own_name <> a.expected_name,
      format('The name isn''t audit.%s, so a worker tries to create that partition.', a.expected_name),
      format('alter table %s rename to %I;', a.name, a.expected_name)
    ),
    (
      a.schema_id <> 'audit'::regnamespace,
      'A partition of the audit log must be in the schema audit.',
      format('alter table %s set schema audit;', a.name)
    ),
    (
      a.owner_id <> a.parent_owner_id,
      format('The partition belongs to %s.', a.owner_id::regrole),
      format('alter table %s owner to %s;', a.name, a.parent_owner_id::regrole)
    ),
    (
      a.persistence <> 'p',
      'The partition is unlogged: a crash of the server empties it.',
      format('alter table %s set logged;', a.name)
    )
  ) as f (is_found, finding, remedy)
  where f.is_found
  union all
  -- Statements on the parent need no privilege on the partition. Another function checks logins.
  select distinct
    format('grant %s on table %s to %s', lower(x.privilege_type), a.name, x.grantee::regrole),
    'Nobody needs a privilege on a partition.',
    format('revoke %s on table %s from %s;', lower(x.privilege_type), a.name, x.grantee::regrole)
  from attached as a
  cross join lateral (
    select e.* from aclexplode(a.acl) as e
    union all
    select e.*
    from pg_catalog.pg_attribute as c
    cross join lateral aclexplode(c.attacl) as e
    where c.attrelid = a.oid
  ) as x
  where
    x.grantee not in (0, a.owner_id)
    and not exists (select from admin.role as r where r.oid = x.grantee and r.kind = 'login')
  union all
  select
    format('policy %I on %s', p.polname, a.name),
    'A partition has no policies, so that nobody reads or writes it by its own name.',
    format('drop policy %I on %s;', p.polname, a.name)
  from attached as a
  join pg_catalog.pg_policy as p on p.polrelid = a.oid
  union all
  select
    format('trigger %I on %s', t.tgname, a.name),
    case
      when t.tgparentid <> 0 then 'The trigger fires at other times than that of the parent table.'
      else 'The trigger isn''t one that audit.create_partitions creates.'
    end,
    case
      when t.tgparentid <> 0
      then format(
        'alter table %s %s trigger %I;',
        a.name,
        case p.tgenabled
          when 'D' then 'disable' when 'A' then 'enable always' when 'R' then 'enable replica' else 'enable'
        end,
        t.tgname
      )
      when t.tgname = '_100_refuse_change' then format('drop trigger %I on %s; %s', t.tgname, a.name, g.creation)
      else format('drop trigger %I on %s;', t.tgname, a.name)
    end
  from attached as a
  join pg_catalog.pg_trigger as t on t.tgrelid = a.oid and not t.tgisinternal
  left join pg_catalog.pg_trigger as p on p.oid = t.tgparentid
  cross join lateral (
    select
      format(
        'CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION '
        'audit.tg_refuse(%L)',
        a.name, format('Use audit.%s, which is append-only.', a.root)
      ) as definition
  ) as e
  cross join lateral (
    select format('%s; alter table %s enable always trigger _100_refuse_change;', e.definition, a.name) as creation
  ) as g
  where t.tgenabled <> p.tgenabled or (t.tgparentid = 0 and pg_get_triggerdef(t.oid) <> e.definition)
  union all
  select
    format('constraint %I on %s', c.conname, a.name),
    'The constraint isn''t one of the parent table. It can make every write fail.',
    format('alter table %s drop constraint %I;', a.name, c.conname)
  from attached as a
  join pg_catalog.pg_constraint as c on c.conrelid = a.oid
  where
    c.coninhcount = 0
    and c.contype in ('c', 'f', 'p', 'u', 'x')
    and (a.root, c.conname) <> ('seal', a.own_name || '_position_is_unique')
  union all
  select
    'table ' || a.name,
    'No constraint holds the positions of an organization''s seals apart: two sealers can make two chains.',
    concat_ws(
      ' ',
      (
        select format('alter table %s drop constraint %I;', a.name, c.conname)
        from pg_catalog.pg_constraint as c
        where c.conrelid = a.oid and c.conname = a.own_name || '_position_is_unique'
      ),
      format(
        'alter table %s add constraint %I unique (organization_id, position);', a.name, a.own_name || '_position_is_unique'
      )
    )
  from attached as a
  where
    a.root = 'seal'
    and not exists (
      select
      from pg_catalog.pg_constraint as c
      where
        c.conrelid = a.oid
        and c.conname = a.own_name || '_position_is_unique'
        and pg_get_constraintdef(c.oid) = 'UNIQUE (organization_id, "position")'
    )
  union all
  select
    format('index %s on %s', x.indexrelid::regclass, a.name),
    'The index isn''t one of the parent table.',
    format('drop index %s;', x.indexrelid::regclass)
  from attached as a
  join pg_catalog.pg_index as x on x.indrelid = a.oid
  where
    not exists (select from pg_catalog.pg_inherits as i where i.inhrelid = x.indexrelid)
    and not exists (select from pg_catalog.pg_constraint as c where c.conindid = x.indexrelid)
  union all
  select
    format('column %s.%I', a.name, c.attname),
    'The column has another default or expression than in the parent table.',
    'Restore the default or the expression of the parent table.'
  from attached as a
  join pg_catalog.pg_attribute as c on c.attrelid = a.oid and c.attnum > 0 and not c.attisdropped
  join pg_catalog.pg_attribute as p on p.attrelid = a.parent and p.attname = c.attname
  left join pg_catalog.pg_attrdef as own on own.adrelid = c.attrelid and own.adnum = c.attnum
  left join pg_catalog.pg_attrdef as parents on parents.adrelid = p.attrelid and parents.adnum = p.attnum
  where pg_get_expr(own.adbin, own.adrelid) is distinct from pg_get_expr(parents.adbin, parents.adrelid);
end;

comment on function admin.partition_findings() is
$$Findings about a missing partition of audit.event or audit.seal for this year or the next, and about a partition that isn't as
audit.create_partitions creates it, in the form of admin.findings().

The kept catalogue doesn't have the partitions, because a worker creates them. Row-level security, statistics, and triggers
that are missing are findings of the functions for all tables.$$;
-- begin frozen sql/admin/setting_findings.sql
-- admin.setting_findings - findings about the settings of the server, roles and the database.
set local role leads_jobs;

create or replace function admin.setting_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'setting ' || w.name,
    case w.harm
      when 'loss' then 'A power failure can destroy the database.'
      when 'corruption' then 'Data that the disk has corrupted isn''t detected.'
      when 'parameters' then 'The server''s log can contain parameters, which are credentials and personal data.'
      when 'rows' then 'The server''s log can contain personal data, because an error''s DETAIL shows the row.'
    end,
    case w.harm
      when 'corruption' then 'Stop the server, and run: pg_checksums --enable -D DATA_FOLDER'
      else format('/* as a superuser */ alter system set %s = %L; select pg_reload_conf();', w.name, w.value)
    end
  from (values
    ('fsync', 'on', 'loss'),
    ('full_page_writes', 'on', 'loss'),
    ('data_checksums', 'on', 'corruption'),
    ('log_error_verbosity', 'terse', 'rows'),
    ('log_parameter_max_length', '0', 'parameters'),
    ('log_parameter_max_length_on_error', '0', 'parameters'),
    -- These settings exist only if the server has loaded the library.
    ('auto_explain.log_parameter_max_length', '0', 'parameters'),
    ('pgaudit.log_parameter', 'off', 'parameters')
  ) as w (name, value, harm)
  join pg_catalog.pg_settings as s on s.name = w.name
  where s.setting <> w.value
  union all
  select
    'setting synchronous_commit', 'A power failure can lose changes that were acknowledged.',
    '/* as a superuser */ alter system set synchronous_commit = ''on''; select pg_reload_conf();'
  from pg_catalog.pg_settings as s
  where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
  union all
  select
    format(
      'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
    ),
    case
      when c.name like 'leads.%' then 'Every session of the login would begin with a claim.'
      when c.name = 'synchronous_commit' then 'A power failure can lose changes that were acknowledged.'
      when c.name like 'log\_%' then 'The server''s log can contain credentials and personal data.'
      else 'The setting changes what functions do, or as which role they run.'
    end,
    format(
      'alter %s reset %s;',
      case
        when r.oid is null and s.setdatabase = 0 then 'role all'
        when r.oid is null then format('database %I', current_database())
        when s.setdatabase = 0 then format('role %I', r.name)
        else format('role %I in database %I', r.name, current_database())
      end,
      c.name
    )
  from pg_catalog.pg_db_role_setting as s
  left join admin.role as r on r.oid = s.setrole
  cross join lateral (
    select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
    from unnest(s.setconfig) as u (line)
  ) as c
  where
    s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
    and (s.setrole = 0 or r.oid is not null)
    and (
      -- A login can change its own settings, and with any of them make its later sessions fail.
      r.oid is not null
      or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
      or c.name in ('local_preload_libraries', 'session_preload_libraries')
      or c.name like 'leads.%'
      or (c.name = 'synchronous_commit' and c.value = 'off')
      or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
      or (c.name = 'log_error_verbosity' and c.value <> 'terse')
    );
end;

comment on function admin.setting_findings() is 'Findings about settings, in the form of admin.findings().';
-- begin frozen sql/admin/findings.sql
-- admin.findings - lists what is wrong with this database, for leads doctor.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),
  rule_finding as (
    select f.*, false as is_restorable from admin.role_findings() as f
    union all select f.*, false from admin.row_security_findings() as f
    union all select f.*, true from admin.policy_findings() as f
    union all select f.*, false from admin.analyst_findings() as f
    union all select f.*, true from admin.trigger_findings() as f
    union all select f.*, true from admin.key_findings() as f
    union all select f.*, false from admin.statistics_findings() as f
    union all select f.*, false from admin.function_findings() as f
    union all select f.*, false from admin.grant_findings() as f
    union all select f.*, false from admin.seal_findings() as f
    union all select f.*, false from admin.partition_findings() as f
    union all select f.*, false from admin.api_findings(findings.release) as f
    union all select f.*, false from admin.setting_findings() as f
  )
  select
    f.subject,
    f.finding,
    -- The kept definition restores what the rule's own remedy could only drop.
    case when f.is_restorable then coalesce(d.remedy, f.remedy) else f.remedy end
  from rule_finding as f
  left join drift as d on d.object = f.subject
  union all
  -- An object that breaks a rule is listed once, with the rule's finding.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'No catalogue is kept, so changes can''t be detected.'
      when d.object = 'catalogue' then 'Another version of PostgreSQL kept the catalogue, so changes can''t be detected.'
      when d.change = 'new' then 'No migration has created it.'
      when d.change = 'missing' then 'It doesn''t exist, and no migration has dropped it.'
      else 'It was changed, and not by a migration.'
    end,
    d.remedy
  from drift as d
  where not exists (select from rule_finding as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: one row for each finding.

release: the number of the newest migration that the calling program has; null: versions aren't compared. remedy: SQL, which
ends with a semicolon, or else a command or a sentence. Some things only a superuser can see, and this function doesn't check:
pg_hba.conf, passwords, the libraries that the server loads, and statistics that ANALYZE collected before.$$;

grant execute on function admin.findings(integer) to leads_operator;
-- end frozen

set local role leads_owner;
revoke create on schema admin from leads_jobs;
reset role;
