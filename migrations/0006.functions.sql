-- The functions, views, triggers, policies and grants: frozen copies of the files in sql/, as of this migration.
set local lock_timeout = '5s';

do $$
begin
  execute format('grant leads_audit to %I', session_user);
end
$$;

-- Who owns functions in a schema creates them there, and only now: what runs as them later can't.
set local role leads_owner;
grant create on schema auth to leads_auth;
grant create on schema api to leads_exec;
grant create on schema admin to leads_jobs;
grant create on schema audit to leads_audit;
reset role;

-- begin frozen sql/auth/claimed_key.sql
-- auth.claimed_key - the key whose claim this transaction holds, while it is good: one row or none.
set local role leads_auth;

create or replace view auth.claimed_key with (security_invoker = true) as
select
  k.organization_id,
  k.id,
  k.scopes
from auth.api_key as k
where
  -- A subselect: reckoned once a query, not once a row where the planner reads a small table whole.
  k.digest = (select sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex')))
  and k.revoked_at is null
  -- The clock, and no old snapshot: a transaction that is kept open doesn't keep a key good.
  and (k.expires_at is null or k.expires_at > clock_timestamp())
  and current_setting('transaction_isolation') = 'read committed';

comment on view auth.claimed_key is
  'The claim is a proof, not a name: the setting leads.key_digest holds the SHA-256 of a key, in hex, and only who has '
  'the key can say it. What is stored is the SHA-256 of that.';
-- end frozen sql/auth/claimed_key.sql

-- begin frozen sql/auth/enter.sql
-- auth.enter - the first thing in every request's statement: proves the claim and sets the context.
set local role leads_auth;

create or replace function auth.enter(key_digest text, request_id text, scope text, read_only boolean)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
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
end
$$;

comment on function auth.enter(text, text, text, boolean) is
$$Proves who is asking and sets the request's context, for the transaction.

key_digest: SHA-256 of the key, 64 hexadecimal digits; null: no key. request_id: the X-Request-Id, up to 64 characters.
scope: what the route asks for; null: a public route, no key is needed. read_only: whether the transaction may write.
Raises PT401 unauthorized (no key, unknown, expired or revoked) and PT403 insufficient_scope.$$;

grant execute on function auth.enter(text, text, text, boolean) to leads_api;
-- end frozen sql/auth/enter.sql

-- begin frozen sql/auth/organization_id.sql
-- auth.organization_id - the organization of the claimed key, if the key holds the scope: what every policy asks.
set local role leads_auth;

create or replace function auth.organization_id(scope text)
returns uuid
language sql
stable
parallel safe
security definer
begin atomic
  select k.organization_id from auth.claimed_key as k where organization_id.scope = any (k.scopes);
end;

comment on function auth.organization_id(text) is
  'The organization whose key this transaction''s claim proves, if that key holds the scope; else null, which no row has.';

grant execute on function auth.organization_id(text) to leads_exec;
-- end frozen sql/auth/organization_id.sql

-- begin frozen sql/auth/key_id.sql
-- auth.key_id - the id of the claimed key, for the audit log.
set local role leads_auth;

create or replace function auth.key_id()
returns uuid
language sql
stable
parallel safe
security definer
begin atomic
  select k.id from auth.claimed_key as k;
end;

comment on function auth.key_id() is 'The id of the key that this transaction''s claim proves; null without one.';

grant execute on function auth.key_id() to leads_audit;
-- end frozen sql/auth/key_id.sql

-- begin frozen sql/auth/key_scopes.sql
-- auth.key_scopes - the scopes of the claimed key.
set local role leads_auth;

create or replace function auth.key_scopes()
returns text[]
language sql
stable
parallel safe
security definer
begin atomic
  select k.scopes from auth.claimed_key as k;
end;

comment on function auth.key_scopes() is 'The scopes of the key that this transaction''s claim proves; null without one.';

grant execute on function auth.key_scopes() to leads_exec;
-- end frozen sql/auth/key_scopes.sql

-- begin frozen sql/api/schema_version.sql
-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer
language sql
immutable
parallel safe
begin atomic
  select 6;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/audit/tg_refuse.sql
-- audit.tg_refuse - refuses a statement, with the sentence in the trigger's argument.
set local role leads_owner;

create or replace function audit.tg_refuse()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = format('%s on %I.%I is refused. %s', tg_op, tg_table_schema, tg_table_name, tg_argv[0]);
end
$$;

comment on function audit.tg_refuse() is 'Raises PT409 refused. Argument: what to do instead.';

grant execute on function audit.tg_refuse() to leads_auth;
-- end frozen sql/audit/tg_refuse.sql

-- begin frozen sql/audit/is_migrating_login.sql
-- audit.is_migrating_login - whether the login is the one that runs the migrations.
set local role leads_audit;

create or replace function audit.is_migrating_login()
returns boolean
language sql
stable
parallel safe
begin atomic
  select exists (
    select
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as granted on granted.oid = m.roleid
    join pg_catalog.pg_roles as login on login.oid = m.member
    where granted.rolname = 'leads_owner' and login.rolname = session_user
  );
end;

comment on function audit.is_migrating_login() is
  'Whether session_user has been granted leads_owner, which the migrating login grants to itself.';
-- end frozen sql/audit/is_migrating_login.sql

-- begin frozen sql/audit/write_event.sql
-- audit.write_event - the one place that writes the log.
set local role leads_audit;

create or replace function audit.write_event(
  organization_id uuid,
  action text,
  lead_id uuid,
  about text
)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Who is asking is what the key proves, or the login; no setting names an actor.
  v_key_id uuid := case when session_user = 'leads_api' then auth.key_id() end;
  v_source text := case
    when v_key_id is not null then 'api'
    when session_user = 'leads_worker' then 'worker'
    when session_user = 'leads_operator' or audit.is_migrating_login() then 'system'
    else 'sql'
  end;
  v_payload text := concat(
    '{', write_event.about, ',"key_id":', coalesce(to_json(v_key_id)::text, 'null'),
    case when v_key_id is null then ',"role":' || to_json(session_user::text) end,
    '}'
  );
  v_salt bytea := uuid_send(gen_random_uuid());
begin
  insert into audit.event (organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest)
  values (
    write_event.organization_id,
    write_event.action,
    v_source,
    case when v_source = 'api' then nullif(left(current_setting('leads.request_id', true), 64), '') end,
    write_event.lead_id,
    v_payload::json,
    v_salt,
    sha256(v_salt || convert_to(v_payload, 'UTF8'))
  );
end
$$;

comment on function audit.write_event(uuid, text, uuid, text) is
$$Writes an event, with who made the change and from where.

about: the payload's own members, as JSON text without the braces. The source is read off the login: api for leads_api
with a good claim, worker for leads_worker, system for leads_operator and the migrating login, sql for any other. For
the triggers' functions alone: leads_audit owns them, and nobody else may execute this.$$;
-- end frozen sql/audit/write_event.sql

-- begin frozen sql/app/utc_text.sql
-- app.utc_text - an instant as the API writes it.
set local role leads_owner;

create or replace function app.utc_text(instant timestamptz)
returns text
language sql
stable
parallel safe
begin atomic
  select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
end;

comment on function app.utc_text(timestamptz) is
  'The instant in UTC with milliseconds (RFC 3339): 2026-04-27T13:22:05.114Z, whatever the session''s zone. Null for null.';

grant execute on function app.utc_text(timestamptz) to leads_exec, leads_jobs, leads_audit;
-- end frozen sql/app/utc_text.sql

-- begin frozen sql/audit/tg_record.sql
-- audit.tg_record - writes the change of a small table's row to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text := tg_argv[0];
  v_key text := tg_argv[1];
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_row jsonb := coalesce(v_new, v_old);
  v_diff text;
  v_action text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  with field as (
    select
      a.attnum as position,
      a.attname as name,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_old ->> a.attname)::timestamptz))
        -- Enough to see that a key was exchanged.
        when a.attname = 'digest' then to_jsonb(left(v_old ->> a.attname, 10))
        else nullif(v_old -> a.attname, 'null')
      end as old_value,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_new ->> a.attname)::timestamptz))
        when a.attname = 'digest' then to_jsonb(left(v_new ->> a.attname, 10))
        else nullif(v_new -> a.attname, 'null')
      end as new_value
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = tg_relid
      and a.attnum > 0
      and not a.attisdropped
      and a.attname not in ('organization_id', 'id', 'created_at')
      and (a.attname <> 'digest' or tg_op = 'UPDATE')
  )
  select string_agg(
    concat(to_json(f.name), ':', json_build_object('from', f.old_value, 'to', f.new_value)), ',' order by f.position
  )
  into v_diff
  from field as f
  where f.old_value is distinct from f.new_value;
  if tg_op = 'UPDATE' and v_diff is null then
    return null;
  end if;

  if v_new ->> 'rotated_from' is not null and tg_op = 'INSERT' then
    v_action := 'rotated';
  elsif v_new ->> 'revoked_at' is not null and v_old ->> 'revoked_at' is null and tg_op = 'UPDATE' then
    v_action := 'revoked';
  end if;

  perform audit.write_event(
    (v_row ->> 'organization_id')::uuid,
    v_entity || '.' || v_action,
    null,
    concat(to_json(v_entity || case when v_key = 'id' then '_id' else '' end), ':', v_row -> v_key, ',"diff":{', v_diff, '}')
  );
  return null;
end
$$;

comment on function audit.tg_record() is
$$Writes <entity>.created, .updated or .deleted with a diff of the row's columns; for a key also .rotated and .revoked.

Arguments: the entity's name, and the column that names the row. organization_id, id, created_at are left out of the diff, and so is
a key's digest, unless it was exchanged. For tables that change seldom: it reads the row as JSON.$$;

grant execute on function audit.tg_record() to leads_owner, leads_auth;
-- end frozen sql/audit/tg_record.sql

-- begin frozen sql/audit/tg_lead__record.sql
-- audit.tg_lead__record - writes a lead's change to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_lead__record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_diff text;
begin
  -- The columns are written out: a third of the cost of a loop over them. Old is all null on INSERT, new on DELETE.
  v_diff := concat_ws(
    ',',
    case when old.name is distinct from new.name then
      '"name":' || json_build_object('from', old.name, 'to', new.name) end,
    case when old.company is distinct from new.company then
      '"company":' || json_build_object('from', old.company, 'to', new.company) end,
    case when old.email is distinct from new.email then
      '"email":' || json_build_object('from', old.email, 'to', new.email) end,
    case when old.source is distinct from new.source then
      '"source":' || json_build_object('from', old.source, 'to', new.source) end,
    case when old.pipeline_stage is distinct from new.pipeline_stage then
      '"pipeline_stage":' || json_build_object('from', old.pipeline_stage, 'to', new.pipeline_stage) end,
    case when old.lead_score is distinct from new.lead_score then
      '"lead_score":' || json_build_object('from', old.lead_score, 'to', new.lead_score) end,
    case when old.industry is distinct from new.industry then
      '"industry":' || json_build_object('from', old.industry, 'to', new.industry) end,
    case when old.company_size is distinct from new.company_size then
      '"company_size":' || json_build_object('from', old.company_size, 'to', new.company_size) end,
    case when old.pain_points is distinct from new.pain_points then
      '"pain_points":' || json_build_object('from', old.pain_points, 'to', new.pain_points) end,
    case when old.timeline is distinct from new.timeline then
      '"timeline":' || json_build_object('from', old.timeline, 'to', new.timeline) end,
    case when old.budget_range is distinct from new.budget_range then
      '"budget_range":' || json_build_object('from', old.budget_range, 'to', new.budget_range) end,
    case when old.ai_reasoning is distinct from new.ai_reasoning then
      '"ai_reasoning":' || json_build_object('from', old.ai_reasoning, 'to', new.ai_reasoning) end,
    case when old.qualification_completed_at is distinct from new.qualification_completed_at then
      '"qualification_completed_at":' || json_build_object(
        'from', app.utc_text(old.qualification_completed_at), 'to', app.utc_text(new.qualification_completed_at)
      ) end
  );
  if tg_op = 'UPDATE' and v_diff = '' then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case tg_op when 'INSERT' then 'lead.created' when 'UPDATE' then 'lead.updated' else 'lead.deleted' end,
    coalesce(new.id, old.id),
    concat('"lead_id":"', coalesce(new.id, old.id), '","diff":{', v_diff, '}')
  );
  return null;
end
$$;

comment on function audit.tg_lead__record() is
  'Writes lead.created, lead.updated or lead.deleted with {"field": {"from": …, "to": …}} for each field that changed: '
  'those of PATCH, and qualification_completed_at.';

grant execute on function audit.tg_lead__record() to leads_owner;
-- end frozen sql/audit/tg_lead__record.sql

-- begin frozen sql/audit/event_item.sql
-- audit.event_item - an event as the API shows it.
set local role leads_owner;

create or replace function audit.event_item(event audit.event)
returns api.audit_event
language sql
stable
parallel safe
begin atomic
  select row(
    event.id, event.organization_id, event.action, event.source, event.correlation_id, event.payload,
    app.utc_text(event.created_at)
  )::api.audit_event;
end;

comment on function audit.event_item(audit.event) is 'The seven fields of an event, in the order of the body.';

grant execute on function audit.event_item(audit.event) to leads_exec;
-- end frozen sql/audit/event_item.sql

-- begin frozen sql/audit/event_etag.sql
-- audit.event_etag - the entity tag of an event.
set local role leads_owner;

create or replace function audit.event_etag(payload_digest bytea, salt bytea)
returns text
language sql
stable
parallel safe
begin atomic
  -- An erasure takes the salt, and leaves the digest.
  select '"' || encode(substr(payload_digest, 1, 8), 'hex') || case when salt is null then 'e' else '' end
    || '.' || api.schema_version() || '"';
end;

comment on function audit.event_etag(bytea, bytea) is
  'A strong entity tag (RFC 9110, section 8.8.3): another one once the event''s values are erased.';

grant execute on function audit.event_etag(bytea, bytea) to leads_exec;
-- end frozen sql/audit/event_etag.sql

-- begin frozen sql/audit/event.policies.sql
-- audit.event - the policies of the audit log.
set local role leads_owner;

drop policy if exists event_exec_select on audit.event;
drop policy if exists event_audit_insert on audit.event;

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- Only the triggers' functions belong to leads_audit, and nobody is a member: the organization comes from the row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);
-- end frozen sql/audit/event.policies.sql

-- begin frozen sql/audit/event.triggers.sql
-- audit.event - the guard of the audit log.
set local role leads_owner;

drop trigger if exists _100_refuse_change on audit.event;
drop trigger if exists _110_refuse_truncate on audit.event;

-- For each statement, not each row: a role that sees no row gets the error too.
create trigger _100_refuse_change before update or delete on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _110_refuse_truncate before truncate on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

-- Also where session_replication_role says otherwise.
alter table audit.event enable always trigger _100_refuse_change;
alter table audit.event enable always trigger _110_refuse_truncate;
-- end frozen sql/audit/event.triggers.sql

-- begin frozen sql/audit/event.grants.sql
-- audit.event - who may do what with the audit log.
set local role leads_owner;

-- The owner too: what isn't granted can't be typed by accident. The trigger stops whoever grants it again.
revoke all on audit.event from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.event to leads_exec;
grant insert (organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest) on audit.event
to leads_audit;
-- end frozen sql/audit/event.grants.sql

-- begin frozen sql/auth/api_key.policies.sql
-- auth.api_key - the policies of the keys' table.
set local role leads_auth;

drop policy if exists api_key_auth_select on auth.api_key;
drop policy if exists api_key_jobs_select on auth.api_key;
drop policy if exists api_key_jobs_insert on auth.api_key;
drop policy if exists api_key_jobs_update on auth.api_key;

-- The organization isn't known before the key is found.
create policy api_key_auth_select on auth.api_key for select to leads_auth using (true);

create policy api_key_jobs_select on auth.api_key for select to leads_jobs using (true);
create policy api_key_jobs_insert on auth.api_key for insert to leads_jobs with check (true);
create policy api_key_jobs_update on auth.api_key for update to leads_jobs using (true) with check (true);
-- end frozen sql/auth/api_key.policies.sql

-- begin frozen sql/auth/api_key.triggers.sql
-- auth.api_key - the triggers of the keys' table.
set local role leads_auth;

drop trigger if exists _100_refuse_truncate on auth.api_key;
drop trigger if exists _120_keep_identity on auth.api_key;
drop trigger if exists _900_record on auth.api_key;

create trigger _100_refuse_truncate before truncate on auth.api_key
  for each statement execute function audit.tg_refuse('Revoke keys instead, so that each is recorded.');

create trigger _120_keep_identity before update on auth.api_key
  for each row when ((old.organization_id, old.id, old.created_at) is distinct from (new.organization_id, new.id, new.created_at))
  execute function audit.tg_refuse('organization_id, id and created_at never change.');

create trigger _900_record after insert or update or delete on auth.api_key
  for each row execute function audit.tg_record('api_key', 'id');
-- end frozen sql/auth/api_key.triggers.sql

-- begin frozen sql/auth/api_key.grants.sql
-- auth.api_key - who may do what with the keys' table.
set local role leads_auth;

revoke all on auth.api_key from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key to leads_jobs;
grant insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key to leads_jobs;
grant update (expires_at, revoked_at) on auth.api_key to leads_jobs;
-- end frozen sql/auth/api_key.grants.sql

-- begin frozen sql/app/tg_organization__add_pipeline_stages.sql
-- app.tg_organization__add_pipeline_stages - a new organization starts with six stages.
set local role leads_owner;

create or replace function app.tg_organization__add_pipeline_stages()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.pipeline_stage (organization_id, name, position)
  select new.organization_id, s.name, s.position
  from unnest(array['new', 'contacted', 'qualified', 'proposal', 'won', 'lost']) with ordinality as s (name, position);
  return null;
end
$$;

comment on function app.tg_organization__add_pipeline_stages() is 'Gives a new organization the stages that it starts with.';
-- end frozen sql/app/tg_organization__add_pipeline_stages.sql

-- begin frozen sql/app/tg_pipeline_stage__keep_new.sql
-- app.tg_pipeline_stage__keep_new - the stage "new", where every lead begins, can't go.
set local role leads_owner;

create or replace function app.tg_pipeline_stage__keep_new()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'stage_new_is_needed',
    hint = 'The stage "new" can''t be removed or renamed: it is where every lead begins.';
end
$$;

comment on function app.tg_pipeline_stage__keep_new() is 'Refuses to remove or rename the stage "new".';
-- end frozen sql/app/tg_pipeline_stage__keep_new.sql

-- begin frozen sql/app/tg_lead__stamp.sql
-- app.tg_lead__stamp - what the database itself says of a lead: its revision and its times.
set local role leads_owner;

create or replace function app.tg_lead__stamp()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    new.revision := 1;
    if new.pipeline_stage = 'qualified' then
      new.qualification_completed_at := coalesce(new.qualification_completed_at, new.created_at);
    end if;
    return new;
  end if;

  -- The generated columns are made after this; what is left of an update that changes nothing changes nothing here.
  new.email_key := old.email_key;
  new.pipeline_stage_and_source := old.pipeline_stage_and_source;
  if new is not distinct from old then
    return new;
  end if;

  if (new.organization_id, new.id, new.created_at) is distinct from (old.organization_id, old.id, old.created_at) then
    raise sqlstate 'PT409' using
      message = 'lead_identity_is_fixed',
      hint = 'organization_id, id and created_at of a lead never change.';
  end if;

  new.qualification_completed_at := old.qualification_completed_at;
  -- The clock may have been set back, and a transaction that began earlier may write later.
  new.updated_at := greatest(date_trunc('milliseconds', now()), old.updated_at);
  if new.pipeline_stage = 'qualified' then
    new.qualification_completed_at := coalesce(old.qualification_completed_at, new.updated_at);
  end if;
  new.revision := old.revision + 1;
  return new;
end
$$;

comment on function app.tg_lead__stamp() is
  'Counts the revision, sets updated_at, and sets qualification_completed_at the first time that the lead''s stage is '
  '"qualified". What a statement says of them on UPDATE doesn''t count.';
-- end frozen sql/app/tg_lead__stamp.sql

-- begin frozen sql/app/organization.policies.sql
-- app.organization - the policies of the organizations' table.
set local role leads_owner;

drop policy if exists organization_exec_select on app.organization;
drop policy if exists organization_jobs_select on app.organization;
drop policy if exists organization_jobs_insert on app.organization;

create policy organization_exec_select on app.organization for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy organization_jobs_select on app.organization for select to leads_jobs using (true);
create policy organization_jobs_insert on app.organization for insert to leads_jobs with check (true);
-- end frozen sql/app/organization.policies.sql

-- begin frozen sql/app/organization.triggers.sql
-- app.organization - the triggers of the organizations' table.
set local role leads_owner;

drop trigger if exists _500_add_pipeline_stages on app.organization;
drop trigger if exists _120_keep_identity on app.organization;
drop trigger if exists _900_record on app.organization;

create trigger _500_add_pipeline_stages after insert on app.organization
  for each row execute function app.tg_organization__add_pipeline_stages();

create trigger _120_keep_identity before update on app.organization
  for each row when ((old.organization_id, old.created_at) is distinct from (new.organization_id, new.created_at))
  execute function audit.tg_refuse('organization_id and created_at never change.');

create trigger _900_record after insert or update or delete on app.organization
  for each row execute function audit.tg_record('organization', 'organization_id');
-- end frozen sql/app/organization.triggers.sql

-- begin frozen sql/app/organization.grants.sql
-- app.organization - who may do what with the organizations' table.
set local role leads_owner;

revoke all on app.organization from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
grant select, insert (organization_id, name, environment) on app.organization to leads_jobs;
-- end frozen sql/app/organization.grants.sql

-- begin frozen sql/app/pipeline_stage.policies.sql
-- app.pipeline_stage - the policies of the stages' table.
set local role leads_owner;

drop policy if exists pipeline_stage_exec_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_insert on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_delete on app.pipeline_stage;

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);
-- end frozen sql/app/pipeline_stage.policies.sql

-- begin frozen sql/app/pipeline_stage.triggers.sql
-- app.pipeline_stage - the triggers of the stages' table.
set local role leads_owner;

drop trigger if exists _500_keep_new on app.pipeline_stage;
drop trigger if exists _510_keep_new on app.pipeline_stage;
drop trigger if exists _120_keep_identity on app.pipeline_stage;
drop trigger if exists _900_record on app.pipeline_stage;

create trigger _500_keep_new before delete on app.pipeline_stage
  for each row when (old.name = 'new') execute function app.tg_pipeline_stage__keep_new();

create trigger _510_keep_new before update on app.pipeline_stage
  for each row when (old.name = 'new' and new.name <> 'new') execute function app.tg_pipeline_stage__keep_new();

create trigger _120_keep_identity before update on app.pipeline_stage
  for each row when (old.organization_id is distinct from new.organization_id)
  execute function audit.tg_refuse('organization_id never changes.');

create trigger _900_record after insert or update or delete on app.pipeline_stage
  for each row execute function audit.tg_record('pipeline_stage', 'name');
-- end frozen sql/app/pipeline_stage.triggers.sql

-- begin frozen sql/app/pipeline_stage.grants.sql
-- app.pipeline_stage - who may do what with the stages' table.
set local role leads_owner;

revoke all on app.pipeline_stage from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.pipeline_stage to leads_exec;
grant select, insert, delete on app.pipeline_stage to leads_jobs;
-- end frozen sql/app/pipeline_stage.grants.sql

-- begin frozen sql/app/lead.policies.sql
-- app.lead - the policies of the leads' table.
set local role leads_owner;

drop policy if exists lead_exec_select on app.lead;
drop policy if exists lead_exec_insert on app.lead;
drop policy if exists lead_exec_update on app.lead;
drop policy if exists lead_jobs_insert on app.lead;

create policy lead_exec_select on app.lead for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy lead_exec_insert on app.lead for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

create policy lead_exec_update on app.lead for update to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));

-- admin.load_leads
create policy lead_jobs_insert on app.lead for insert to leads_jobs with check (true);
-- end frozen sql/app/lead.policies.sql

-- begin frozen sql/app/lead.triggers.sql
-- app.lead - the triggers of the leads' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on app.lead;
drop trigger if exists _500_stamp on app.lead;
drop trigger if exists _900_record on app.lead;

-- TRUNCATE fires no row trigger: leads would go without a trace.
create trigger _100_refuse_truncate before truncate on app.lead
  for each statement execute function audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

create trigger _500_stamp before insert or update on app.lead
  for each row execute function app.tg_lead__stamp();

create trigger _900_record after insert or update or delete on app.lead
  for each row execute function audit.tg_lead__record();
-- end frozen sql/app/lead.triggers.sql

-- begin frozen sql/app/lead.grants.sql
-- app.lead - who may do what with the leads' table.
set local role leads_owner;

revoke all on app.lead from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  ),
  update (
    name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, ai_reasoning
  )
on app.lead to leads_exec;

grant insert (
  organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
) on app.lead to leads_jobs;
-- end frozen sql/app/lead.grants.sql

-- begin frozen sql/app/idempotency_key.policies.sql
-- app.idempotency_key - the policies of the kept answers' table.
set local role leads_owner;

drop policy if exists idempotency_key_exec_all on app.idempotency_key;

create policy idempotency_key_exec_all on app.idempotency_key for all to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));
-- end frozen sql/app/idempotency_key.policies.sql

-- begin frozen sql/app/idempotency_key.grants.sql
-- app.idempotency_key - who may do what with the kept answers' table.
set local role leads_owner;

revoke all on app.idempotency_key from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert, update, delete on app.idempotency_key to leads_exec;
-- end frozen sql/app/idempotency_key.grants.sql

-- begin frozen sql/app/raise_faults.sql
-- app.raise_faults - refuses a request, with all that is wrong with it.
set local role leads_owner;

create or replace function app.raise_faults(status integer, code text, errors json)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if raise_faults.errors is not null then
    raise exception using
      errcode = 'PT' || raise_faults.status,
      message = raise_faults.code,
      detail = raise_faults.errors::text;
  end if;
end
$$;

comment on function app.raise_faults(integer, text, json) is
  'Raises PT<status> with the code as its message and the errors, a JSON array of {field, code, detail}, as its detail. '
  'Does nothing where errors is null.';

grant execute on function app.raise_faults(integer, text, json) to leads_exec;
-- end frozen sql/app/raise_faults.sql

-- begin frozen sql/app/duplicate_keys.sql
-- app.duplicate_keys - the keys that a JSON text gives twice: jsonb would keep the last, silently.
set local role leads_owner;

create or replace function app.duplicate_keys(value json)
returns setof text
language sql
immutable
parallel safe
begin atomic
  -- Each level is parsed anew: without an end to the depth, 60 KB of nested objects would take half a minute.
  with recursive node as (
    select duplicate_keys.value as value, 1 as depth
    union all
    select c.value, node.depth + 1
    from node
    cross join lateral (
      select o.value from json_each(case when json_typeof(node.value) = 'object' then node.value end) as o
      union all
      select a.value from json_array_elements(case when json_typeof(node.value) = 'array' then node.value end) as a
    ) as c
    where json_typeof(c.value) in ('object', 'array') and node.depth < 32
  )
  select distinct o.key
  from node
  cross join lateral (
    select p.key
    from json_each(case when json_typeof(node.value) = 'object' then node.value end) as p
    group by p.key
    having count(*) > 1
  ) as o;
end;

comment on function app.duplicate_keys(json) is
  'The keys that stand twice in one object, at up to 32 levels. (IS JSON WITH UNIQUE KEYS is PostgreSQL 16, and names '
  'none.)';

grant execute on function app.duplicate_keys(json) to leads_exec;
-- end frozen sql/app/duplicate_keys.sql

-- begin frozen sql/app/read_object.sql
-- app.read_object - a request's body, which is a JSON object.
set local role leads_owner;

create or replace function app.read_object(body text)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- What is no JSON, or holds a NUL, a lone surrogate or endless nesting, fails here: api.problem knows the SQLSTATEs.
  v_object jsonb := read_object.body::jsonb;
begin
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  -- Almost every body is flat: it gives no key twice where jsonb has kept as many as came.
  if
    jsonb_path_exists(v_object, '$.* ? (@.type() == "object" || @.type() == "array")')
    or (select count(*) from json_object_keys(read_object.body::json))
      <> (select count(*) from jsonb_object_keys(v_object))
  then
    if jsonb_path_exists(v_object, 'strict $.**{33}') then
      raise statement_too_complex;
    end if;
    perform app.raise_faults(400, 'invalid_body', (
      select json_agg(json_build_object(
        'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body gives this key twice.'
      ) order by k.key)
      from app.duplicate_keys(read_object.body::json) as k (key)
    ));
  end if;
  return v_object;
end
$$;

comment on function app.read_object(text) is
  'The body as jsonb. Raises PT400 invalid_body where it is no object or gives a key twice (RFC 8259, section 4), and
  54001 where a value stands in more than 32 objects and arrays.';

grant execute on function app.read_object(text) to leads_exec;
-- end frozen sql/app/read_object.sql

-- begin frozen sql/app/lead_faults.sql
-- app.lead_faults - all that is wrong with the fields that a client sends for a lead.
set local role leads_owner;

create or replace function app.lead_faults(organization_id uuid, fields jsonb)
returns json
language sql
stable
parallel safe
begin atomic
  with rule (field, kind, max_length, needed, must) as (
    values
      ('name', 'text', 255, false, 'a text of 1 to 255 characters, or null'),
      ('company', 'text', 255, false, 'a text of 1 to 255 characters, or null'),
      ('email', 'email', 254, false, 'an e-mail address such as ada@example.com (a domain in ASCII, with a dot), or null'),
      ('source', 'name', 64, false, '1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9, or null'),
      ('lead_score', 'score', null, true, 'a whole number from 0 to 100'),
      ('pipeline_stage', 'stage', null, true, 'one of the organization''s pipeline stages'),
      ('industry', 'text', 128, false, 'a text of 1 to 128 characters, or null'),
      ('company_size', 'text', 128, false, 'a text of 1 to 128 characters, or null'),
      ('pain_points', 'text', 10000, false, 'a text of 1 to 10,000 characters, or null'),
      ('timeline', 'text', 128, false, 'a text of 1 to 128 characters, or null'),
      ('budget_range', 'text', 128, false, 'a text of 1 to 128 characters, or null'),
      ('ai_reasoning', 'text', 10000, false, 'a text of 1 to 10,000 characters, or null')
  ),
  sent as (
    select
      f.key as field,
      f.ordinality as position,
      f.value,
      jsonb_typeof(f.value) as type,
      app.trim_text(f.value #>> '{}') as text,
      rule.kind,
      rule.max_length,
      rule.needed,
      rule.must
    from jsonb_each(lead_faults.fields) with ordinality as f (key, value, ordinality)
    left join rule on rule.field = f.key
  ),
  judged as (
    select
      s.field,
      s.position,
      s.must,
      case
        when s.kind is null and s.field in (
          'id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at'
        ) then 'read_only_field'
        when s.kind is null then 'unknown_field'
        when s.type = 'null' then case when s.needed then 'not_nullable' end
        when s.type <> case when s.kind = 'score' then 'number' else 'string' end then 'wrong_type'
        when s.kind = 'score' then
          case
            when (s.value #>> '{}')::numeric not between 0 and 100 then 'out_of_range'
            when (s.value #>> '{}')::numeric % 1 <> 0 then 'not_whole'
          end
        when s.text = '' then 'blank'
        when char_length(s.text) > s.max_length then 'too_long'
        when s.kind = 'email' and not app.is_email(s.text) then 'invalid_email'
        when s.kind = 'name' and not app.is_name(s.text) then 'invalid_name'
        when s.kind = 'stage' and not exists (
          select from app.pipeline_stage as p
          where p.organization_id = lead_faults.organization_id and p.name = s.text
        ) then 'unknown_stage'
      end as code
    from sent as s
  )
  select json_agg(
    json_build_object(
      'field', left(j.field, 100),
      'code', j.code,
      'detail', case j.code
        when 'read_only_field' then 'This field is set by the server. Leave it out.'
        when 'unknown_field' then 'There is no such field. Leave it out.'
        else 'This must be ' || j.must || '.'
      end
    )
    order by j.position
  )
  from judged as j
  where j.code is not null;
end;

comment on function app.lead_faults(uuid, jsonb) is
$$All faults of the writable fields of a lead as a JSON array of {field, code, detail}; null where there is none.

Codes: read_only_field, unknown_field, not_nullable, wrong_type, out_of_range, not_whole, blank, too_long, invalid_email,
invalid_name, unknown_stage. The table's CHECKs say the same of whoever writes.$$;

grant execute on function app.lead_faults(uuid, jsonb) to leads_exec;
-- end frozen sql/app/lead_faults.sql

-- begin frozen sql/app/contact_fault.sql
-- app.contact_fault - what is wrong with a lead that nobody can be reached by.
set local role leads_owner;

create or replace function app.contact_fault()
returns json
language sql
immutable
parallel safe
begin atomic
  select json_build_array(json_build_object(
    'field', 'email',
    'code', 'contact_required',
    'detail', 'A lead needs an email, or a name and a company.'
  ));
end;

comment on function app.contact_fault() is 'The entry in errors for a lead without an email, or a name and a company.';

grant execute on function app.contact_fault() to leads_exec;
-- end frozen sql/app/contact_fault.sql

-- begin frozen sql/app/stage_filter_faults.sql
-- app.stage_filter_faults - the stages in a filter that the organization doesn't have.
set local role leads_owner;

create or replace function app.stage_filter_faults(organization_id uuid, stages text[])
returns json
language sql
stable
parallel safe
begin atomic
  select json_agg(json_build_object(
    'field', 'pipeline_stage',
    'code', 'unknown_stage',
    'detail', format('There is no pipeline stage "%s" in this organization.', left(s.name, 100))
  ))
  from unnest(stage_filter_faults.stages) as s (name)
  where not exists (
    select from app.pipeline_stage as p
    where p.organization_id = stage_filter_faults.organization_id and p.name = s.name
  );
end;

comment on function app.stage_filter_faults(uuid, text[]) is
  'An entry for errors for each stage that the organization doesn''t have; null where there is none.';

grant execute on function app.stage_filter_faults(uuid, text[]) to leads_exec;
-- end frozen sql/app/stage_filter_faults.sql

-- begin frozen sql/app/is_etag_matched.sql
-- app.is_etag_matched - whether an If-Match header lets a change through.
set local role leads_owner;

create or replace function app.is_etag_matched(if_match text, etag text)
returns boolean
language sql
immutable
parallel safe
begin atomic
  -- A weak tag never matches: its W/ stays in front of it.
  select
    is_etag_matched.if_match is null
    or btrim(is_etag_matched.if_match, E' \t') = '*'
    or exists (
      select from regexp_matches(is_etag_matched.if_match, '(?:W/)?"[^"]*"', 'g') as t (tag)
      where t.tag[1] = is_etag_matched.etag
    );
end;

comment on function app.is_etag_matched(text, text) is
  'Whether If-Match (RFC 9110, section 13.1.1), a list of entity tags or *, holds for a record with this tag; true '
  'without the header. Tags are compared strongly: a weak one never matches.';

grant execute on function app.is_etag_matched(text, text) to leads_exec;
-- end frozen sql/app/is_etag_matched.sql

-- begin frozen sql/app/claim_idempotency_key.sql
-- app.claim_idempotency_key - one effect for all requests under one Idempotency-Key.
set local role leads_owner;

create or replace function app.claim_idempotency_key(
  organization_id uuid,
  idempotency_key text,
  wait integer,
  request text
)
returns api.answer
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := claim_idempotency_key.organization_id;
  v_key_digest bytea := sha256(convert_to(v_organization_id || claim_idempotency_key.idempotency_key, 'UTF8'));
  v_request_digest bytea := sha256(convert_to(claim_idempotency_key.request, 'UTF8'));
  v_lock_timeout text := current_setting('lock_timeout');
  v_is_claimed boolean;
  v_kept app.idempotency_key;
begin
  if claim_idempotency_key.idempotency_key is null then
    return null;
  end if;

  -- Whoever comes second waits here for the first one's transaction, and then finds its answer, or, where that rolled
  -- back, makes the claim.
  begin
    perform set_config('lock_timeout', greatest(claim_idempotency_key.wait, 1)::text, true);
    insert into app.idempotency_key as k (organization_id, key_digest, request_digest)
    values (v_organization_id, v_key_digest, v_request_digest)
    on conflict (organization_id, key_digest) do update
    set
      request_digest = excluded.request_digest,
      status = null,
      headers = null,
      body = null,
      created_at = excluded.created_at
    where k.created_at < now() - interval '24 hours' or (k.status is null and k.request_digest = excluded.request_digest);
    v_is_claimed := found;
  exception
    when lock_not_available then
      raise sqlstate 'PT409' using message = 'idempotency_in_progress';
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);

  if v_is_claimed then
    -- The claim pays for its keep: expired rows go a few at a time, those that nobody holds.
    delete from app.idempotency_key as k
    where k.organization_id = v_organization_id and k.key_digest in (
      select e.key_digest
      from app.idempotency_key as e
      where e.organization_id = v_organization_id and e.created_at < now() - interval '24 hours'
      order by e.created_at
      limit 10
      for update skip locked
    );
    return null;
  end if;

  select k.* into v_kept
  from app.idempotency_key as k
  where k.organization_id = v_organization_id and k.key_digest = v_key_digest;
  if v_kept.request_digest is distinct from v_request_digest then
    raise sqlstate 'PT422' using message = 'idempotency_key_reused';
  end if;
  return row(
    v_kept.status,
    (v_kept.headers::jsonb || '{"Idempotency-Replayed": "true"}')::json,
    v_kept.body
  )::api.answer;
end
$$;

comment on function app.claim_idempotency_key(uuid, text, integer, text) is
$$Claims the key for this transaction, or gives the answer that is kept under it.

wait: milliseconds to wait for a transaction that holds the claim, at least 1. request: method, path and body, raw.
Null: the claim is made (or idempotency_key is null), and the answer is to be kept with app.keep_answer. An answer: the
kept one. Raises PT409 idempotency_in_progress, and PT422 idempotency_key_reused for another request under the key.
Whoever finds a fault afterwards raises it: then the claim goes with the transaction.$$;

grant execute on function app.claim_idempotency_key(uuid, text, integer, text) to leads_exec;
-- end frozen sql/app/claim_idempotency_key.sql

-- begin frozen sql/app/keep_answer.sql
-- app.keep_answer - keeps an answer under the Idempotency-Key that this transaction claimed.
set local role leads_owner;

create or replace function app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer)
returns void
language sql
volatile
begin atomic
  update app.idempotency_key as k
  set status = (keep_answer.answer).status, headers = (keep_answer.answer).headers, body = (keep_answer.answer).body
  where
    k.organization_id = keep_answer.organization_id
    and k.key_digest = sha256(convert_to(keep_answer.organization_id || keep_answer.idempotency_key, 'UTF8'))
    and (keep_answer.answer).status <> 202;
end;

comment on function app.keep_answer(uuid, text, api.answer) is
  'Keeps the answer for 24 hours, in the transaction of the change. A 202 is not kept. Does nothing where the key is null.';

grant execute on function app.keep_answer(uuid, text, api.answer) to leads_exec;
-- end frozen sql/app/keep_answer.sql

-- begin frozen sql/app/page_bound.sql
-- app.page_bound - the upper end of a page: its rows come before this (created_at, id).
set local role leads_owner;

create or replace function app.page_bound(cursor api.cursor, end_at timestamptz, out created_at timestamptz, out id uuid)
returns record
language sql
immutable
parallel safe
set timezone = 'UTC'
begin atomic
  with bound as (
    select (c.content ->> 'created_at')::timestamptz as created_at, (c.content ->> 'id')::uuid as id
    from (
      select convert_from(
        decode(
          translate(page_bound.cursor, '-_', '+/') || repeat('=', (4 - char_length(page_bound.cursor) % 4) % 4),
          'base64'
        ),
        'UTF8'
      )::json as content
    ) as c
    where page_bound.cursor is not null
    union all
    -- end_at is exclusive: before the smallest id that could stand at it.
    select page_bound.end_at, '00000000-0000-0000-0000-000000000000'
    where page_bound.end_at is not null
    union all
    select 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  )
  select bound.created_at, bound.id from bound order by bound.created_at, bound.id limit 1;
end;

comment on function app.page_bound(api.cursor, timestamptz) is
  'The lower of the cursor''s row and end_at (exclusive); above every row where both are null.';

grant execute on function app.page_bound(api.cursor, timestamptz) to leads_exec;
-- end frozen sql/app/page_bound.sql

-- begin frozen sql/app/page_answer.sql
-- app.page_answer - a page as the API gives it, with the cursor of the next one.
set local role leads_owner;

create or replace function app.page_answer(items text[], page_size integer)
returns api.answer
language sql
immutable
parallel safe
begin atomic
  with last as (
    select page_answer.items[page_size]::json as item
    where cardinality(page_answer.items) > page_size
  ),
  next as (
    select translate(
      encode(
        convert_to('{"created_at":"' || (last.item ->> 'created_at') || '","id":"' || (last.item ->> 'id') || '"}', 'UTF8'),
        'base64'
      ),
      E'+/=\n',
      '-_'
    ) as cursor
    from last
  )
  select row(
    200,
    json_build_object('Next-Cursor', next.cursor),
    '{"data":[' || array_to_string(page_answer.items[:page_size], ',') || '],"next_cursor":'
      || coalesce('"' || next.cursor || '"', 'null') || '}'
  )::api.answer
  from (select) as page
  left join next on true;
end;

comment on function app.page_answer(text[], integer) is
$$The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order, one more than page_size where a next page exists. The cursor is unpadded base64url
(RFC 4648, section 5) of compact JSON with created_at and id of the last row given. The header Next-Cursor is for the
shim, which makes Link of it; null: no header.$$;

grant execute on function app.page_answer(text[], integer) to leads_exec;
-- end frozen sql/app/page_answer.sql

-- begin frozen sql/app/lead_etag.sql
-- app.lead_etag - the entity tag of a lead.
set local role leads_owner;

create or replace function app.lead_etag(revision integer)
returns text
language sql
stable
parallel safe
begin atomic
  select '"' || revision || '.' || api.schema_version() || '"';
end;

comment on function app.lead_etag(integer) is
  'A strong entity tag (RFC 9110, section 8.8.3): another one after every change of the lead, and where a new version of '
  'the schema may show it otherwise.';

grant execute on function app.lead_etag(integer) to leads_exec;
-- end frozen sql/app/lead_etag.sql

-- begin frozen sql/app/lead_item.sql
-- app.lead_item - a lead as a list and the answer to POST show it.
set local role leads_owner;

create or replace function app.lead_item(lead app.lead)
returns api.lead_item
language sql
stable
parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, app.utc_text(lead.created_at), app.utc_text(lead.updated_at)
  )::api.lead_item;
end;

comment on function app.lead_item(app.lead) is 'The 12 fields of a lead that a list shows, in the order of the body.';

grant execute on function app.lead_item(app.lead) to leads_exec;
-- end frozen sql/app/lead_item.sql

-- begin frozen sql/app/lead_whole.sql
-- app.lead_whole - a lead as GET of the one lead shows it.
set local role leads_owner;

create or replace function app.lead_whole(lead app.lead)
returns api.lead
language sql
stable
parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, lead.pain_points, lead.timeline, lead.budget_range,
    lead.ai_reasoning, app.utc_text(lead.qualification_completed_at), app.utc_text(lead.created_at),
    app.utc_text(lead.updated_at)
  )::api.lead;
end;

comment on function app.lead_whole(app.lead) is 'All 17 fields of a lead, in the order of the body.';

grant execute on function app.lead_whole(app.lead) to leads_exec;
-- end frozen sql/app/lead_whole.sql

-- begin frozen sql/app/lead_change.sql
-- app.lead_change - a lead as the answer to PATCH shows it.
set local role leads_owner;

create or replace function app.lead_change(lead app.lead)
returns api.lead_change
language sql
stable
parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, app.utc_text(lead.updated_at)
  )::api.lead_change;
end;

comment on function app.lead_change(app.lead) is 'The 9 fields of a lead that the answer to PATCH shows, in the order of the body.';

grant execute on function app.lead_change(app.lead) to leads_exec;
-- end frozen sql/app/lead_change.sql

-- begin frozen sql/api/problem.grants.sql
-- api.problem - who may do what with the errors' table.
set local role leads_owner;

revoke all on api.problem from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.problem to leads_exec;
-- end frozen sql/api/problem.grants.sql

-- begin frozen sql/api/problem.rows.sql
-- api.problem - how each error is answered.
set local role leads_owner;

delete from api.problem;

-- Words that the shim raises.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('not_found', 404, 'not_found', 'Not found', 'There is nothing at this address. Check the path and the id.'),
  ('method_not_allowed', 405, 'method_not_allowed', 'Method not allowed', 'Use one of the methods that the header Allow names.'),
  ('payload_too_large', 413, 'payload_too_large', 'Payload too large', 'A body has at most 64 KiB. Send less.'),
  ('unsupported_media_type', 415, 'unsupported_media_type', 'Unsupported media type',
    'Send the body as application/json (a PATCH also as application/merge-patch+json).'),
  ('invalid_parameter', 400, 'invalid_parameter', 'Invalid parameter', 'Mend what errors lists, and send the request again.'),
  ('internal', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('unavailable', 503, 'unavailable', 'Unavailable', 'The server is busy. Nothing was done. Try again.'),
  ('outcome_unknown', 503, 'outcome_unknown', 'Unavailable',
    'The connection to the database was lost, and whether the change was made is unknown. Look, or repeat a POST with its '
    'Idempotency-Key.');

-- Words that functions raise.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('unauthorized', 401, 'unauthorized', 'Unauthorized', 'Send a valid API key: Authorization: Bearer lk_….'),
  ('insufficient_scope', 403, 'insufficient_scope', 'Insufficient scope', 'This key lacks a scope. Use a key that has it.'),
  ('invalid_body', 400, 'invalid_body', 'Invalid body', 'Mend what errors lists, and send the request again.'),
  ('validation_failed', 422, 'validation_failed', 'Validation failed', 'Mend what errors lists, and send the request again.'),
  ('precondition_failed', 412, 'precondition_failed', 'Precondition failed',
    'The record has changed since: If-Match no longer holds. Get it again, and repeat the change on what it is now.'),
  ('idempotency_key_reused', 422, 'idempotency_key_reused', 'Idempotency key reused',
    'Another request came under this Idempotency-Key within 24 hours. Take a new key for a new request.'),
  ('idempotency_in_progress', 409, 'idempotency_in_progress', 'Request in progress',
    'A request under this Idempotency-Key is still running. Repeat it in a moment.');

-- SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('22P02', 400, 'invalid_body', 'Invalid body', 'The body is not valid JSON.', 'body', 'invalid_json'),
  ('22P05', 400, 'invalid_body', 'Invalid body', 'The body has a NUL character (\u0000). Leave it out.', 'body', 'nul_character'),
  ('54001', 400, 'invalid_body', 'Invalid body', 'The body is nested more than 32 deep.', 'body', 'too_deep'),
  ('22003', 422, 'validation_failed', 'Validation failed', 'The body has a number that is out of all range.', 'body', 'out_of_range');

insert into api.problem (raised_by, status, code, title, detail)
values
  ('25006', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('40001', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('40P01', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('55P03', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('57014', 503, 'unavailable', 'Unavailable', 'The request took too long. Nothing was done. Try again.');

-- Constraints on what a request gives.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('page_size_within_1_and_200', 400, 'invalid_parameter', 'Invalid parameter', 'This must be a whole number from 1 to 200.',
    'limit', 'out_of_range'),
  ('cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is no cursor. Take next_cursor of the page before as it is, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('any_of_has_at_most_10_values', 400, 'invalid_parameter', 'Invalid parameter', 'This may have up to 10 values.',
    'filter', 'too_many_values'),
  ('entity_tags_are_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be * or entity tags as they came in ETag, in their double quotes.', 'If-Match', 'invalid_entity_tag'),
  ('idempotency_key_is_1_to_255_printable_characters', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key');

-- Constraints on a lead: app.lead_faults finds what breaks them first; where it doesn't, they still hold.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('lead_has_email_or_name_and_company', 'email', 'contact_required', 'A lead needs an email, or a name and a company.'),
  ('lead_pipeline_stage_exists', 'pipeline_stage', 'unknown_stage', 'This must be one of the organization''s pipeline stages.'),
  ('lead_times_have_a_year_of_4_digits', 'created_at', 'out_of_range', 'This must lie in the years 1 to 9999.'),
  ('lead_name_is_text_of_1_to_255', 'name', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_company_is_text_of_1_to_255', 'company', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_email_is_email', 'email', 'invalid_email', 'This must be an e-mail address such as ada@example.com.'),
  ('lead_source_is_name', 'source', 'invalid_name', 'This must be 1 to 64 characters out of a-z, 0-9, _ and -.'),
  ('lead_score_within_0_and_100', 'lead_score', 'out_of_range', 'This must be a whole number from 0 to 100.'),
  ('lead_industry_is_text_of_1_to_128', 'industry', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_company_size_is_text_of_1_to_128', 'company_size', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_pain_points_is_text_of_1_to_10000', 'pain_points', 'too_long', 'This must be a text of 1 to 10,000 characters.'),
  ('lead_timeline_is_text_of_1_to_128', 'timeline', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_budget_range_is_text_of_1_to_128', 'budget_range', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_ai_reasoning_is_text_of_1_to_10000', 'ai_reasoning', 'too_long', 'This must be a text of 1 to 10,000 characters.')
) as c (raised_by, field, field_code, detail);
-- end frozen sql/api/problem.rows.sql

-- begin frozen sql/api/problems.sql
-- api.problems - what the shim reads at start: how each error is answered.
set local role leads_exec;

create or replace function api.problems()
returns setof api.problem
language sql
stable
security definer
begin atomic
  select p.* from api.problem as p order by p.raised_by;
end;

comment on function api.problems() is 'The rows of api.problem.';

grant execute on function api.problems() to leads_api;
-- end frozen sql/api/problems.sql

-- begin frozen sql/api/route.grants.sql
-- api.route - who may do what with the route table.
set local role leads_owner;

revoke all on api.route from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.route to leads_exec, leads_jobs;
-- end frozen sql/api/route.grants.sql

-- begin frozen sql/api/route.rows.sql
-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (method, path, function, scope, problems)
values
  ('GET', '/leads', 'api.list_leads', 'read', '{invalid_parameter,validation_failed}'),
  ('POST', '/leads', 'api.create_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', '{invalid_parameter,not_found}'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', '{invalid_parameter,validation_failed}'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/health', 'api.get_health', 'read', '{invalid_parameter}'),
  ('GET', '/organizations/me', 'api.get_organization', 'read', '{invalid_parameter}');
-- end frozen sql/api/route.rows.sql

-- begin frozen sql/api/default_text.sql
-- api.default_text - the default of a function's argument, as text.
set local role leads_exec;

create or replace function api.default_text(function oid, "position" integer)
returns text
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_expression text := pg_catalog.pg_get_function_arg_default(default_text.function, default_text.position);
  v_value text;
begin
  if v_expression is not null then
    execute format('select (%s)::text', v_expression) into v_value;
  end if;
  return v_value;
end
$$;

comment on function api.default_text(oid, integer) is
  'The value of the default of the argument at that position (from 1), as text; null where there is none.';
-- end frozen sql/api/default_text.sql

-- begin frozen sql/api/routes.sql
-- api.routes - what the shim reads at start: the route table with the functions' signatures.
set local role leads_exec;

create or replace function api.routes()
returns table (
  method text,
  path text,
  function text,
  scope text,
  is_read_only boolean,
  arguments json
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select
    r.method,
    r.path,
    r.function,
    r.scope,
    f.provolatile <> 'v',
    (
      select json_agg(
        json_build_object(
          'name', a.name,
          'type', format_type(a.type, null),
          'base_type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
          'default', api.default_text(f.oid, a.position::integer)
        )
        order by a.position
      )
      from unnest(f.proargtypes::oid[], f.proargnames[:f.pronargs]) with ordinality as a (type, name, position)
      join pg_catalog.pg_type as t on t.oid = a.type
    )
  from api.route as r
  left join pg_catalog.pg_proc as f
    -- A name of three parts, and before PostgreSQL 16 any odd one, is an error, not null.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  order by r.path, r.method;
end;

comment on function api.routes() is
$$The routes. is_read_only and arguments are null where there is no such function that returns api.answer and that the
login may execute. arguments: name, type, base_type (a domain's base) and default (the value as text, or null), in order.$$;

grant execute on function api.routes() to leads_api;
-- end frozen sql/api/routes.sql

-- begin frozen sql/api/input_faults.sql
-- api.input_faults - all that is malformed in a request's values: a statement stops at the first.
set local role leads_exec;

create or replace function api.input_faults(names text[], types text[], given text[])
returns json
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_errors json[] := '{}';
  v_type text;
  v_detail text;
  v_constraint text;
  v_sqlstate text;
begin
  for v_index in 1 .. cardinality(input_faults.names) loop
    select format_type(t.oid, null) into v_type
    from pg_catalog.pg_type as t
    where
      t.oid = to_regtype(input_faults.types[v_index])
      and t.typtype = 'd'
      and t.typnamespace = 'api'::regnamespace;
    begin
      if input_faults.names[v_index] = 'body' then
        perform app.read_object(input_faults.given[v_index]);
      else
        execute format('select %L::%s', input_faults.given[v_index], coalesce(v_type, 'text'));
      end if;
    exception
      when sqlstate 'PT400' then
        get stacked diagnostics v_detail = pg_exception_detail;
        v_errors := v_errors || array(select f.fault from json_array_elements(v_detail::json) as f (fault));
      when check_violation or data_exception or statement_too_complex then
        get stacked diagnostics v_constraint = constraint_name, v_sqlstate = returned_sqlstate;
        v_errors := v_errors || array(
          select json_build_object('field', input_faults.names[v_index], 'code', p.field_code, 'detail', p.detail)
          from api.problem as p
          where p.raised_by in (v_constraint, v_sqlstate) and p.status = 400
        );
    end;
  end loop;
  return case when cardinality(v_errors) > 0 then array_to_json(v_errors) end;
end
$$;

comment on function api.input_faults(text[], text[], text[]) is
$$The entries for errors for each value that breaks its domain's CHECK, and for a body that is no object; null: none.

names: the parameters, or body; types: their types (other than a domain of this schema is passed over); given: their
values as text. The shim asks this once it knows of a fault.$$;

grant execute on function api.input_faults(text[], text[], text[]) to leads_api;
-- end frozen sql/api/input_faults.sql

-- begin frozen sql/api/session_faults.sql
-- api.session_faults - why a login is no good for the shim.
set local role leads_exec;

create or replace function api.session_faults()
returns setof text
language sql
stable
security definer
begin atomic
  select format('The login "%s" is a superuser: row-level security doesn''t bind it.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolsuper
  union all
  select format('The login "%s" has BYPASSRLS: row-level security doesn''t bind it.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolbypassrls and not r.rolsuper
  union all
  select format('The login "%s" owns what it should only call: it is a member of %s.', session_user, o.rolname)
  from pg_catalog.pg_roles as o
  where
    o.rolname in ('leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser')
    and pg_has_role(session_user, o.oid, 'member')
    and not exists (select from pg_catalog.pg_roles as s where s.rolname = session_user and s.rolsuper);
end;

comment on function api.session_faults() is
  'A sentence for each reason why the login must not serve requests: superuser, BYPASSRLS, membership in an owner. None: it may.';

grant execute on function api.session_faults() to public;
-- end frozen sql/api/session_faults.sql

-- begin frozen sql/api/list_leads.sql
-- api.list_leads - GET /leads.
set local role leads_exec;

create or replace function api.list_leads(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  pipeline_stage api.any_of default null,
  source api.any_of default null,
  email api.any_of default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_leads.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_leads.start_at, '-infinity');
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', app.stage_filter_faults(v_organization_id, list_leads.pipeline_stage));

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_leads.cursor, list_leads.end_at) as b;

  -- A statement for each shape of filter: each walks its own index, and several values are one walk each, merged.
  if list_leads.email is not null then
    v_items := array(
      select row_to_json(app.lead_item(p.lead))::text
      from (select distinct lower(u.value collate "C") as value from unnest(list_leads.email) as u (value)) as e
      cross join lateral (
        select l as lead, l.created_at, l.id
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.email_key = e.value
          and (list_leads.pipeline_stage is null or l.pipeline_stage = any (list_leads.pipeline_stage))
          and (list_leads.source is null or l.source = any (list_leads.source))
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.pipeline_stage is not null and list_leads.source is not null then
    v_items := array(
      select row_to_json(app.lead_item(p.lead))::text
      from (
        select distinct g.value || '/' || s.value as value
        from unnest(list_leads.pipeline_stage) as g (value)
        cross join unnest(list_leads.source) as s (value)
      ) as f
      cross join lateral (
        select l as lead, l.created_at, l.id
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage_and_source = f.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.pipeline_stage is not null then
    v_items := array(
      select row_to_json(app.lead_item(p.lead))::text
      from (select distinct u.value from unnest(list_leads.pipeline_stage) as u (value)) as g
      cross join lateral (
        select l as lead, l.created_at, l.id
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage = g.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.source is not null then
    v_items := array(
      select row_to_json(app.lead_item(p.lead))::text
      from (select distinct u.value from unnest(list_leads.source) as u (value)) as s
      cross join lateral (
        select l as lead, l.created_at, l.id
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.source = s.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(app.lead_item(l))::text
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (l.created_at, l.id) < (v_at, v_id)
        and l.created_at >= v_start_at
      order by l.created_at desc, l.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_leads.limit);
end
$$;

comment on function api.list_leads(api.page_size, api.cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz) is
$$List leads, newest first.

Ordered by created_at, then id, both descending. Filters are exact; several values, separated by commas, mean any of
them; an unknown stage is 422. email takes A-Z as a-z. start_at is inclusive, end_at exclusive. Walking the pages gives
every lead that stood when the walk began exactly once. Rows commit out of the order of created_at: who polls with
start_at overlaps by some minutes and drops repeats by id.$$;

grant execute on function
  api.list_leads(api.page_size, api.cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_leads.sql

-- begin frozen sql/api/create_lead.sql
-- api.create_lead - POST /leads.
set local role leads_exec;

create or replace function api.create_lead(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  );
  v_lead app.lead;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', (
    with fault as (
      select json_array_elements(app.lead_faults(v_organization_id, v_fields)) as fault
      union all
      select json_array_elements(app.contact_fault())
      where v_fields ->> 'email' is null and (v_fields ->> 'name' is null or v_fields ->> 'company' is null)
    )
    select json_agg(f.fault) from fault as f
  ));

  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  )
  values (
    v_organization_id,
    app.trim_text(v_fields ->> 'name'),
    app.trim_text(v_fields ->> 'company'),
    app.trim_text(v_fields ->> 'email'),
    app.trim_text(v_fields ->> 'source'),
    coalesce((v_fields ->> 'lead_score')::numeric::integer, 0),
    coalesce(app.trim_text(v_fields ->> 'pipeline_stage'), 'new'),
    app.trim_text(v_fields ->> 'industry'),
    app.trim_text(v_fields ->> 'company_size'),
    app.trim_text(v_fields ->> 'pain_points'),
    app.trim_text(v_fields ->> 'timeline'),
    app.trim_text(v_fields ->> 'budget_range'),
    app.trim_text(v_fields ->> 'ai_reasoning')
  )
  returning * into v_lead;

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    row_to_json(app.lead_item(v_lead))::text
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.create_lead(text, api.idempotency_key, integer) is
$$Create a lead.

At least one of email, or name and company together, is required. lead_score begins at 0 and pipeline_stage at "new",
unless given. Text is kept as sent, without the white space at its ends. Two leads may share an address: nothing is
merged. The answer has the 12 fields that a list shows.$$;

grant execute on function api.create_lead(text, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/create_lead.sql

-- begin frozen sql/api/get_lead.sql
-- api.get_lead - GET /leads/{id}.
set local role leads_exec;

create or replace function api.get_lead(id uuid)
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_whole(l))::text
  )::api.answer
  from app.lead as l
  where l.organization_id = (select auth.organization_id('read')) and l.id = get_lead.id;
end;

comment on function api.get_lead(uuid) is
$$Get a lead.

All 17 fields. Another organization's lead is answered like one that never was: 404.$$;

grant execute on function api.get_lead(uuid) to leads_api;
-- end frozen sql/api/get_lead.sql

-- begin frozen sql/api/update_lead.sql
-- api.update_lead - PATCH /leads/{id}.
set local role leads_exec;

create or replace function api.update_lead(id uuid, body text, if_match api.entity_tags default null)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(update_lead.body);
  v_old app.lead;
  v_new app.lead;
begin
  perform app.raise_faults(422, 'validation_failed', app.lead_faults(v_organization_id, v_fields));

  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead.id
  for no key update;
  if not found then
    return null;
  end if;
  if not app.is_etag_matched(update_lead.if_match, app.lead_etag(v_old.revision)) then
    raise sqlstate 'PT412' using message = 'precondition_failed';
  end if;

  v_new := v_old;
  if v_fields ? 'name' then v_new.name := app.trim_text(v_fields ->> 'name'); end if;
  if v_fields ? 'company' then v_new.company := app.trim_text(v_fields ->> 'company'); end if;
  if v_fields ? 'email' then v_new.email := app.trim_text(v_fields ->> 'email'); end if;
  if v_fields ? 'source' then v_new.source := app.trim_text(v_fields ->> 'source'); end if;
  if v_fields ? 'lead_score' then v_new.lead_score := (v_fields ->> 'lead_score')::numeric::integer; end if;
  if v_fields ? 'pipeline_stage' then v_new.pipeline_stage := app.trim_text(v_fields ->> 'pipeline_stage'); end if;
  if v_fields ? 'industry' then v_new.industry := app.trim_text(v_fields ->> 'industry'); end if;
  if v_fields ? 'company_size' then v_new.company_size := app.trim_text(v_fields ->> 'company_size'); end if;
  if v_fields ? 'pain_points' then v_new.pain_points := app.trim_text(v_fields ->> 'pain_points'); end if;
  if v_fields ? 'timeline' then v_new.timeline := app.trim_text(v_fields ->> 'timeline'); end if;
  if v_fields ? 'budget_range' then v_new.budget_range := app.trim_text(v_fields ->> 'budget_range'); end if;
  if v_fields ? 'ai_reasoning' then v_new.ai_reasoning := app.trim_text(v_fields ->> 'ai_reasoning'); end if;

  if v_new.email is null and (v_new.name is null or v_new.company is null) then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault());
  end if;

  -- A patch that changes nothing writes nothing.
  if v_new is distinct from v_old then
    update app.lead as l
    set
      name = v_new.name,
      company = v_new.company,
      email = v_new.email,
      source = v_new.source,
      lead_score = v_new.lead_score,
      pipeline_stage = v_new.pipeline_stage,
      industry = v_new.industry,
      company_size = v_new.company_size,
      pain_points = v_new.pain_points,
      timeline = v_new.timeline,
      budget_range = v_new.budget_range,
      ai_reasoning = v_new.ai_reasoning
    where l.organization_id = v_organization_id and l.id = update_lead.id
    returning l.* into v_new;
  end if;

  return row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_change(v_new))::text
  );
end
$$;

comment on function api.update_lead(uuid, text, api.entity_tags) is
$$Change a lead.

A JSON merge patch (RFC 7396): a field that is left out stays, null clears it; pipeline_stage and lead_score can't be
null. The lead must have an email, or a name and a company, afterwards. A patch that changes nothing writes nothing.
With If-Match the change is made only while the lead has that tag, else 412. Every change stands in the audit log as
lead.updated. The answer has nine of the lead's fields.$$;

grant execute on function api.update_lead(uuid, text, api.entity_tags) to leads_api;
-- end frozen sql/api/update_lead.sql

-- begin frozen sql/api/list_audit_events.sql
-- api.list_audit_events - GET /audit-log.
set local role leads_exec;

create or replace function api.list_audit_events(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', (
    select json_agg(json_build_object(
      'field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.'
    ))
    where not list_audit_events.source <@ v_sources
  ));

  select b.created_at, b.id into v_at, v_id
  from app.page_bound(list_audit_events.cursor, list_audit_events.end_at) as b;

  -- A statement for each shape of filter: each walks its own index, and several values are one walk each, merged.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id = list_audit_events.lead_id
        and (list_audit_events.action is null or e.action = any (list_audit_events.action))
        and (list_audit_events.source is null or e.source = any (list_audit_events.source))
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  elsif list_audit_events.action is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (
        select distinct a.value || '/' || s.value as value
        from unnest(list_audit_events.action) as a (value)
        cross join unnest(coalesce(list_audit_events.source, v_sources)) as s (value)
      ) as f
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.action_and_source = f.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_audit_events.source is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (select distinct u.value from unnest(list_audit_events.source) as u (value)) as s
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.source = s.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_audit_events.limit);
end
$$;

comment on function api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz) is
$$List the audit log, newest first.

Every change of the organization's records, whoever made it: over the API, in SQL, by a worker or by the system. Filters
are exact; several values, separated by commas, mean any of them. start_at is inclusive, end_at exclusive. Actions:
lead.created, lead.updated, lead.deleted; api_key.created, api_key.rotated, api_key.updated, api_key.revoked,
api_key.deleted; organization.created, organization.updated, organization.deleted; pipeline_stage.created,
pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_audit_events.sql

-- begin frozen sql/api/get_audit_event.sql
-- api.get_audit_event - GET /audit-log/{id}.
set local role leads_exec;

create or replace function api.get_audit_event(id uuid)
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    json_build_object('ETag', audit.event_etag(e.payload_digest, e.salt)),
    row_to_json(audit.event_item(e))::text
  )::api.answer
  from audit.event as e
  where e.organization_id = (select auth.organization_id('read')) and e.id = get_audit_event.id;
end;

comment on function api.get_audit_event(uuid) is
$$Get a row of the audit log.

Another organization's row is answered like one that never was: 404.$$;

grant execute on function api.get_audit_event(uuid) to leads_api;
-- end frozen sql/api/get_audit_event.sql

-- begin frozen sql/api/get_health.sql
-- api.get_health - GET /health.
set local role leads_exec;

create or replace function api.get_health()
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(row('ok', o.organization_id, o.environment, (select auth.key_scopes()))::api.health)::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_health() is
$$See what a key is good for.

The organization that the key belongs to, its environment (live or test), and the key's scopes.$$;

grant execute on function api.get_health() to leads_api;
-- end frozen sql/api/get_health.sql

-- begin frozen sql/api/get_organization.sql
-- api.get_organization - GET /organizations/me.
set local role leads_exec;

create or replace function api.get_organization()
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(
      row(
        o.organization_id,
        o.name,
        o.environment,
        array(
          select s.name
          from app.pipeline_stage as s
          where s.organization_id = o.organization_id
          order by s.position, s.name
        ),
        app.utc_text(o.created_at)
      )::api.organization
    )::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_organization() is
$$Get the organization.

The organization that the key belongs to, with its pipeline stages in their order.$$;

grant execute on function api.get_organization() to leads_api;
-- end frozen sql/api/get_organization.sql

-- begin frozen sql/admin/organization.sql
-- admin.organization - one organization, which must be there.
set local role leads_jobs;

create or replace function admin.organization(organization_id uuid)
returns app.organization
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization;
begin
  select o.* into v_organization from app.organization as o where o.organization_id = organization.organization_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'organization_not_found',
      hint = format('There is no organization %s. "leads organizations list" shows them.', organization.organization_id);
  end if;
  return v_organization;
end
$$;

comment on function admin.organization(uuid) is 'The organization. Raises PT404 organization_not_found.';

grant execute on function admin.organization(uuid) to leads_operator;
-- end frozen sql/admin/organization.sql

-- begin frozen sql/admin/create_organization.sql
-- admin.create_organization - leads organizations create.
set local role leads_jobs;

create or replace function admin.create_organization(name text, environment text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := app.new_id();
begin
  if app.is_text(app.trim_text(create_organization.name), 255) is not true then
    raise sqlstate 'PT422' using message = 'invalid_name', hint = 'The name must be a text of 1 to 255 characters.';
  end if;
  insert into app.organization (organization_id, name, environment)
  values (v_organization_id, app.trim_text(create_organization.name), create_organization.environment);
  return v_organization_id;
end
$$;

comment on function admin.create_organization(text, text) is
  'Makes an organization with the six pipeline stages that each starts with, and returns its id. environment: live or '
  'test. Raises PT422 invalid_name.';

grant execute on function admin.create_organization(text, text) to leads_operator;
-- end frozen sql/admin/create_organization.sql

-- begin frozen sql/admin/organizations.sql
-- admin.organizations - leads organizations list.
set local role leads_jobs;

create or replace function admin.organizations()
returns table (id uuid, name text, environment text, created_at text)
language sql
stable
security definer
begin atomic
  select o.organization_id, o.name, o.environment, app.utc_text(o.created_at)
  from app.organization as o
  order by o.created_at, o.organization_id;
end;

comment on function admin.organizations() is 'All organizations, the oldest first.';

grant execute on function admin.organizations() to leads_operator;
-- end frozen sql/admin/organizations.sql

-- begin frozen sql/admin/stages.sql
-- admin.stages - leads organizations stages ID.
set local role leads_jobs;

create or replace function admin.stages(organization_id uuid)
returns table ("position" integer, name text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(stages.organization_id);
  return query
  select s.position, s.name
  from app.pipeline_stage as s
  where s.organization_id = stages.organization_id
  order by s.position, s.name;
end
$$;

comment on function admin.stages(uuid) is 'The organization''s pipeline stages in their order. Raises PT404 organization_not_found.';

grant execute on function admin.stages(uuid) to leads_operator;
-- end frozen sql/admin/stages.sql

-- begin frozen sql/admin/add_stage.sql
-- admin.add_stage - leads organizations stages ID --add NAME.
set local role leads_jobs;

create or replace function admin.add_stage(organization_id uuid, name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(add_stage.organization_id)).organization_id;
begin
  if app.is_name(add_stage.name) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'A stage''s name has 1 to 64 characters out of a-z, 0-9, _ and -, and begins with a-z or 0-9.';
  end if;
  insert into app.pipeline_stage (organization_id, name, position)
  select v_organization_id, add_stage.name, coalesce(max(s.position), 0) + 1
  from app.pipeline_stage as s
  where s.organization_id = v_organization_id
  on conflict (organization_id, name) do nothing;
  if not found then
    raise sqlstate 'PT409' using
      message = 'stage_exists',
      hint = format('The organization has a stage "%s" already.', add_stage.name);
  end if;
end
$$;

comment on function admin.add_stage(uuid, text) is
  'Adds a pipeline stage behind the others. Raises PT404 organization_not_found, PT422 invalid_name, PT409 stage_exists.';

grant execute on function admin.add_stage(uuid, text) to leads_operator;
-- end frozen sql/admin/add_stage.sql

-- begin frozen sql/admin/remove_stage.sql
-- admin.remove_stage - leads organizations stages ID --remove NAME.
set local role leads_jobs;

create or replace function admin.remove_stage(organization_id uuid, name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(remove_stage.organization_id)).organization_id;
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
    raise sqlstate 'PT409' using
      message = 'stage_has_leads',
      hint = format('The stage "%s" has leads in it. Move them to another stage first.', remove_stage.name);
end
$$;

comment on function admin.remove_stage(uuid, text) is
  'Removes a pipeline stage. Raises PT404 organization_not_found and stage_not_found, PT409 stage_has_leads and '
  'stage_new_is_needed.';

grant execute on function admin.remove_stage(uuid, text) to leads_operator;
-- end frozen sql/admin/remove_stage.sql

-- begin frozen sql/admin/good_key.sql
-- admin.good_key - one key, which must be there and good.
set local role leads_jobs;

create or replace function admin.good_key(
  id uuid,
  out organization_id uuid,
  out environment text,
  out name text,
  out scopes text[],
  out expires_at timestamptz
)
returns record
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
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
      hint = format('There is no key %s. "leads keys list" shows them.', good_key.id);
  end if;
  if v_key.revoked_at is not null or v_key.expires_at <= now() then
    raise sqlstate 'PT409' using
      message = 'key_not_good',
      hint = format('The key %s is revoked or has expired. Make a new one with "leads keys create".', good_key.id);
  end if;
  organization_id := v_key.organization_id;
  environment := v_key.environment;
  name := v_key.name;
  scopes := v_key.scopes;
  expires_at := v_key.expires_at;
end
$$;

comment on function admin.good_key(uuid) is 'The key, locked. Raises PT404 key_not_found, PT409 key_not_good.';

grant execute on function admin.good_key(uuid) to leads_operator;
-- end frozen sql/admin/good_key.sql

-- begin frozen sql/admin/create_key.sql
-- admin.create_key - leads keys create.
set local role leads_jobs;

create or replace function admin.create_key(
  organization_id uuid,
  scope text,
  digest bytea,
  name text default null,
  expires_at timestamptz default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
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
    raise sqlstate 'PT422' using message = 'invalid_name', hint = 'The name must be a text of 1 to 255 characters.';
  end if;
  if create_key.expires_at <= now() then
    raise sqlstate 'PT422' using message = 'expired', hint = 'The key would have expired already: give a later time.';
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
end
$$;

comment on function admin.create_key(uuid, text, bytea, text, timestamptz) is
$$Keeps a new key's digest, and returns the key's id.

scope: the highest one, read, write or admin. digest: SHA-256 of the SHA-256 of the key, which never comes here.
expires_at: null: never. Raises PT404 organization_not_found, PT422 unknown_scope, invalid_name, expired.$$;

grant execute on function admin.create_key(uuid, text, bytea, text, timestamptz) to leads_operator;
-- end frozen sql/admin/create_key.sql

-- begin frozen sql/admin/keys.sql
-- admin.keys - leads keys list.
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
language sql
stable
security definer
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

comment on function admin.keys(uuid) is 'The keys of an organization, or of all where it is null; the oldest first.';

grant execute on function admin.keys(uuid) to leads_operator;
-- end frozen sql/admin/keys.sql

-- begin frozen sql/admin/rotate_key.sql
-- admin.rotate_key - leads keys rotate ID.
set local role leads_jobs;

create or replace function admin.rotate_key(id uuid, digest bytea, overlap interval default '24 hours')
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
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
  -- A second one would take the end of the overlap for the key's own.
  select k.id into v_new_id
  from auth.api_key as k
  where k.organization_id = v_old.organization_id and k.rotated_from = rotate_key.id;
  if found then
    raise sqlstate 'PT409' using
      message = 'key_rotated_already',
      hint = format('The key %s was rotated already. Rotate the one that replaces it: %s.', rotate_key.id, v_new_id);
  end if;
  -- Written out: a key that expires sooner than the overlap ends still does.
  update auth.api_key as k
  set expires_at = least(k.expires_at, date_trunc('milliseconds', now() + rotate_key.overlap))
  where k.organization_id = v_old.organization_id and k.id = rotate_key.id;

  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at, rotated_from)
  values (v_old.organization_id, v_id, v_old.name, v_old.scopes, rotate_key.digest, v_old.expires_at, rotate_key.id);
  return v_id;
end
$$;

comment on function admin.rotate_key(uuid, bytea, interval) is
$$Makes a key with the old one's name, scopes and expiry, and returns its id; the old one is good until the overlap ends.

digest: SHA-256 of the SHA-256 of the new key. Raises PT404 key_not_found, PT409 key_not_good and
key_rotated_already, PT422 invalid_overlap.$$;

grant execute on function admin.rotate_key(uuid, bytea, interval) to leads_operator;
-- end frozen sql/admin/rotate_key.sql

-- begin frozen sql/admin/revoke_key.sql
-- admin.revoke_key - leads keys revoke ID.
set local role leads_jobs;

create or replace function admin.revoke_key(id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.good_key(revoke_key.id)).organization_id;
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  where k.organization_id = v_organization_id and k.id = revoke_key.id;
end
$$;

comment on function admin.revoke_key(uuid) is 'Revokes a key from now on. Raises PT404 key_not_found, PT409 key_not_good.';

grant execute on function admin.revoke_key(uuid) to leads_operator;
-- end frozen sql/admin/revoke_key.sql

-- begin frozen sql/admin/load_leads.sql
-- admin.load_leads - leads demo: leads with their own times.
set local role leads_jobs;

create or replace function admin.load_leads(organization_id uuid, leads jsonb)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(load_leads.organization_id)).organization_id;
  v_count integer;
begin
  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
  )
  select
    v_organization_id, l.name, l.company, l.email, l.source, l.lead_score, l.pipeline_stage, l.industry, l.company_size,
    l.pain_points, l.timeline, l.budget_range, l.ai_reasoning, l.qualification_completed_at, l.created_at, l.updated_at
  from jsonb_populate_recordset(null::app.lead, load_leads.leads) as l;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function admin.load_leads(uuid, jsonb) is
  'Inserts leads, a JSON array of objects with the fields of api.lead, as they are; returns how many. Raises PT404 '
  'organization_not_found, and the violations of the table''s constraints.';

grant execute on function admin.load_leads(uuid, jsonb) to leads_operator;
-- end frozen sql/admin/load_leads.sql

-- begin frozen sql/admin/catalogue_entry.grants.sql
-- admin.catalogue_entry - who may do what with the kept catalogue: its owner's functions alone.
set local role leads_jobs;

revoke all on admin.catalogue_entry from leads_owner, leads_auth, leads_exec, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;
-- end frozen sql/admin/catalogue_entry.grants.sql

-- begin frozen sql/admin/catalogue.sql
-- admin.catalogue - every object of our schemas, as the SQL that makes it: what drift is told by.
set local role leads_jobs;

create or replace function admin.catalogue()
returns table (object text, definition text, removal text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
set jit = off
begin atomic
  with our_role as (
    select r.*
    from pg_catalog.pg_roles as r
    where r.rolname in (
      'leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser', 'leads_bi', 'leads_api',
      'leads_worker', 'leads_operator'
    )
  ),
  our_schema as (
    select n.oid, quote_ident(n.nspname) as name, n.nspowner::regrole as owner, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relowner as owner_id, c.relowner::regrole as owner,
      c.relacl as acl, c.relpersistence as persistence, c.relrowsecurity as has_rls,
      c.relforcerowsecurity as forces_rls,
      case c.relkind
        when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
        else 'table'
      end as noun,
      (select string_agg(o.option, ', ' order by o.option) from unnest(c.reloptions) as o (option)) as options
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
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
    where p.pronamespace in (select s.oid from our_schema as s)
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
      t.typnamespace in (select s.oid from our_schema as s)
      and (t.typtype in ('d', 'e') or (t.typtype = 'c' and c.relkind = 'c'))
  ),
  acl as (
    select 'schema ' || s.name as target, '' as "column", s.owner::oid as owner_id, s.acl as items
    from our_schema as s
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
  -- What an owner may do goes with the ownership.
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
    'role ' || r.rolname,
    format(
      'alter role %I %s;',
      r.rolname,
      concat_ws(
        ' ',
        case when r.rolsuper then 'superuser' else 'nosuperuser' end,
        case when r.rolinherit then 'inherit' else 'noinherit' end,
        case when r.rolcreaterole then 'createrole' else 'nocreaterole' end,
        case when r.rolcreatedb then 'createdb' else 'nocreatedb' end,
        case when r.rolcanlogin then 'login' else 'nologin' end,
        case when r.rolreplication then 'replication' else 'noreplication' end,
        case when r.rolbypassrls then 'bypassrls' else 'nobypassrls' end
      )
    ),
    null
  from our_role as r

  -- Who is a member of ours isn't here: analysts come and go, and the migrating login has another name elsewhere.
  union all
  select distinct
    format('membership of %I in %s', r.rolname, m.roleid::regrole),
    format('grant %s to %I;', m.roleid::regrole, r.rolname),
    format('revoke %s from %I;', m.roleid::regrole, r.rolname)
  from pg_catalog.pg_auth_members as m
  join our_role as r on r.oid = m.member

  union all
  select 'schema ' || s.name, format('alter schema %s owner to %s;', s.name, s.owner), format('drop schema %s;', s.name)
  from our_schema as s

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
  where d.defaclrole in (select r.oid from our_role as r)

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

  -- A column's NOT NULL is a constraint from PostgreSQL 18 on; here it stands with the column.
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

  -- Operators, collations, statistics objects and whatever else can stand in a schema: we have none.
  union all
  select distinct
    format('%s %s', replace(o.type, ' object', ''), o.identity),
    '',
    format('drop %s %s;', replace(o.type, ' object', ''), o.identity)
  from pg_catalog.pg_depend as d
  cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
  where
    d.refclassid = 'pg_catalog.pg_namespace'::regclass
    and d.refobjid in (select s.oid from our_schema as s)
    and d.classid not in (
      'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_default_acl'::regclass
    );
end;

comment on function admin.catalogue() is
$$Every object of our schemas, every grant on one, and our roles: stable text, whatever the session's settings.

definition: the SQL that makes it, or makes it so again, ending with a semicolon; without one, where no single statement
could: what it is, in words. removal: the SQL that takes it away; null for what can't go.$$;
-- end frozen sql/admin/catalogue.sql

-- begin frozen sql/admin/drift.sql
-- admin.drift - what somebody has changed since leads migrate kept the catalogue.
set local role leads_jobs;

create or replace function admin.drift()
returns table (object text, change text, remedy text, definition text, whole text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with printed as (
    select true as is_live, c.object, c.definition, c.removal from admin.catalogue() as c
    union all
    select false, e.object, e.definition, null from admin.catalogue_entry as e
  ),
  -- A restored dump prints what it has read: some parentheses fewer, and a constant's type for its name. A body that
  -- stands as text stays as it is.
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
  -- Where nothing is kept there is nothing to compare with; and each version of PostgreSQL prints in its own way.
  incomparable as (
    select c.change, c.kept from compared as c where c.object = 'server'
  ),
  -- An object that is new or missing as a whole, with its parts: a table with its columns, a function with its grants.
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
      when c.change = 'new' then coalesce(c.removal, 'Take it away.')
      when c.change = 'missing' and c.object ~ '^(schema|table|sequence) ' then 'Restore it from a backup.'
      when c.kept like '%;' and not (c.change = 'changed' and c.object ~ '^(type|domain) ') then c.kept
      else 'Make it again what it was: ' || rtrim(c.kept, ';')
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
      else format('Compare with schema.sql, since it was kept under %s, then say: leads doctor --accept', i.kept)
    end,
    null,
    null
  from incomparable as i
  order by 1;
end;

comment on function admin.drift() is
$$The objects that are not what leads migrate has kept: change is new, missing or changed.

remedy: SQL that puts the object back, or words. definition: what it is now; null where it is gone. whole: the object that
it came or went with. One row, "catalogue", where none was kept (new) or another version of PostgreSQL kept it (changed).$$;
-- end frozen sql/admin/drift.sql

-- begin frozen sql/admin/keep_catalogue.sql
-- admin.keep_catalogue - keeps what the schema is, for admin.drift() to compare with.
set local role leads_jobs;

create or replace function admin.keep_catalogue(drifted jsonb default '{}')
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with live as (
    select c.object, c.definition from admin.catalogue() as c
  ),
  -- What was adrift before the migrations, and is still as it was, no migration has made: it stays adrift.
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
$$Keeps the schema as it is now. For the migrating login: an operator must not bless what somebody else has changed.

drifted: what admin.drift() gave before the migrations, definition by object: what they left as it was isn't kept.$$;
-- end frozen sql/admin/keep_catalogue.sql

-- begin frozen sql/admin/api_findings.sql
-- admin.api_findings - what is wrong with the API's version and routes.
set local role leads_jobs;

create or replace function admin.api_findings(release integer)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
begin atomic
  with route as (
    select
      r.method, r.path, r.function,
      format('route %s %s', r.method, r.path) as subject,
      format('delete from api.route where method = %L and path = %L; notify leads_routes;', r.method, r.path) as removal,
      f.oid::regprocedure as name, f.oid, f.provolatile as volatility, f.prorettype as returned
    from api.route as r
    left join pg_catalog.pg_proc as f
      -- A name of three parts, and before PostgreSQL 16 any odd one, is an error, not null.
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
  select r.subject, format('There is no function %s, or there are several.', r.function), r.removal
  from route as r
  where r.oid is null
  union all
  select r.subject, format('%s doesn''t return api.answer.', r.name), r.removal
  from route as r
  where r.returned <> 'api.answer'::regtype
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
$$Findings of the groups version and routes, as admin.findings() gives them.

release: the number of the newest migration that the asking program has; null: no question.$$;
-- end frozen sql/admin/api_findings.sql

-- begin frozen sql/admin/findings.sql
-- admin.findings - leads doctor: what is wrong with this database.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
begin atomic
  with our_role as (
    select
      e.name, e.kind, e.kind = 'login' as may_log_in,
      r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
    from (values
      ('leads_owner', 'owner'), ('leads_auth', 'owner'), ('leads_exec', 'owner'), ('leads_jobs', 'owner'),
      ('leads_audit', 'sealed'), ('leads_eraser', 'sealed'), ('leads_bi', 'group'),
      ('leads_api', 'login'), ('leads_worker', 'login'), ('leads_operator', 'login')
    ) as e (name, kind)
    left join pg_catalog.pg_roles as r on r.rolname = e.name
  ),
  our_schema as (
    select n.oid, n.nspname as name, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relacl as acl, c.reloptions as options,
      c.relrowsecurity as has_rls, c.relforcerowsecurity as forces_rls
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  tenant_table as (
    select r.*, a.attnum as tenant_column
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
    where r.kind in ('r', 'p')
  ),
  routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join our_schema as s on s.oid = n.oid
    left join our_role as r on r.oid = o.oid and r.kind in ('owner', 'sealed')
    where s.oid is not null or r.oid is not null
  ),
  membership as (
    select
      m.member, m.roleid::regrole as granted, m.member::regrole as member_name, m.grantor::regrole as grantor, r.kind,
      exists (select from our_role as o where o.oid = m.member) as is_member_ours,
      -- PostgreSQL 15 has neither column: there a member inherits, and may SET ROLE.
      coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
      coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
      to_jsonb(m) ? 'set_option' as has_options,
      format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal,
      l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    left join our_role as r on r.oid = m.roleid
  ),
  drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),

  role_finding as (
    select
      'role ' || r.name as subject, 'The role is missing.' as finding,
      format('create role %I %s;', r.name, case when r.may_log_in then 'login' else 'nologin' end) as remedy
    from our_role as r
    where r.oid is null
    union all
    select
      'role ' || r.name,
      format('It has %s, which none of our roles needs.', a.name),
      format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
    from our_role as r
    cross join lateral (values
      ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
      ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as a (name, is_held)
    where a.is_held
    union all
    select
      'role ' || r.name,
      'It can log in, and owns what logins should only call.',
      format('alter role %I nologin;', r.name)
    from our_role as r
    where r.rolcanlogin and not r.may_log_in
    union all
    select 'role ' || r.name, 'It can''t log in.', format('alter role %I login;', r.name)
    from our_role as r
    where not r.rolcanlogin and r.may_log_in
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'None of our roles is a member of another role: it would have that role''s rights.',
      m.removal
    from membership as m
    where m.is_member_ours
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      case m.kind
        when 'sealed' then 'Nobody acts as this role: its functions alone write, or erase, what the audit log holds.'
        when 'owner' then 'Only the migrating login acts as this role, which owns our objects.'
        else 'The member can act as this login.'
      end,
      m.removal
    from membership as m
    where
      not m.is_member_ours
      -- Who made a role keeps ADMIN OPTION alone, and can't be rid of it.
      and (m.may_set or m.inherits)
      and (m.kind in ('sealed', 'login') or (m.kind = 'owner' and not m.is_migrating))
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst who may SET ROLE to the group sheds what is bound to the analyst''s own login.',
      format('grant leads_bi to %s with inherit true, set false granted by %s;', m.member_name, m.grantor)
    from membership as m
    where m.kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
    union all
    select
      'role ' || m.member_name,
      'The analyst is a superuser or has BYPASSRLS: row-level security doesn''t bind the login.',
      format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member_name)
    from membership as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    where m.kind = 'group' and (l.rolsuper or l.rolbypassrls) and not m.is_migrating
  ),

  row_security_finding as (
    select
      'table ' || t.name as subject, 'Row-level security is off: each caller sees all organizations.' as finding,
      format('alter table %s enable row level security;', t.name) as remedy
    from tenant_table as t
    where not t.has_rls
    union all
    select
      'table ' || t.name,
      'Row-level security isn''t forced: it doesn''t bind the table''s owner.',
      format('alter table %s force row level security;', t.name)
    from tenant_table as t
    where not t.forces_rls
    union all
    select
      'view ' || v.name,
      'It reads as its owner, whoever asks.',
      format('alter view %s set (security_invoker = true);', v.name)
    from relation as v
    where v.kind = 'v' and not coalesce(v.options @> array['security_invoker=true'], false)
    union all
    select
      format('%s %s', n.noun, r.name),
      'Row-level security can''t bind a relation of this kind.',
      format('drop %s %s;', n.noun, r.name)
    from relation as r
    join (values ('m'::"char", 'materialized view'), ('f', 'foreign table')) as n (kind, noun) on n.kind = r.kind
    union all
    select
      format('rule %I on %s', w.rulename, r.name),
      'A rule rewrites statements on the table, and may swallow them.',
      format('drop rule %I on %s;', w.rulename, r.name)
    from relation as r
    join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
    where r.kind <> 'v' and r.kind <> 'm' and w.rulename <> '_RETURN'
  ),

  -- What a policy lets pass, and to whom. A restrictive one lets nothing pass.
  passage as (
    select
      t.name as "table", p.polname as name, p.polcmd as command, r.rolname as role, e.expression,
      coalesce(d.remedy, format('drop policy %I on %s;', p.polname, t.name)) as remedy
    from tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select distinct coalesce(x.expression, 'true') as expression
      from (values
        (pg_get_expr(p.polqual, p.polrelid), p.polcmd <> 'a'),
        (pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), p.polcmd not in ('r', 'd'))
      ) as x (expression, is_used)
      where x.is_used
    ) as e
    left join drift as d on d.object = format('policy %I on %s', p.polname, t.name)
  ),
  policy_finding as (
    select
      format('policy %I on %s', p.name, p."table") as subject,
      case
        when p.role is null then 'It lets everybody pass.'
        when p.expression = 'true' then format('It lets %s reach the rows of all organizations.', p.role)
        else format('It isn''t of the reviewed form: %s', p.expression)
      end as finding,
      p.remedy
    from passage as p
    where
      p.role is null
      or not (
        -- The organization isn't known yet, or all are meant: each of these roles owns functions only.
        (p.expression = 'true' and p.role in ('leads_auth', 'leads_jobs', 'leads_audit'))
        or (
          p.role = 'leads_exec'
          and p.expression in (
            -- To read, any scope will do.
            select format('(organization_id = ( SELECT auth.organization_id(%L::text) AS organization_id))', s.scope)
            from (values ('read'), ('write'), ('admin')) as s (scope)
            where s.scope <> 'read' or p.command = 'r'
          )
        )
      )
  ),

  -- Each tenant table's changes are recorded, but for what is no business of the log, and the log itself.
  expected_trigger as (
    select t.oid, t.name as "table", '_900_record'::name as trigger, false as is_always
    from tenant_table as t
    where t.name not in ('app.idempotency_key', 'audit.event')
    union all
    select t.oid, t.name, g.trigger, g.is_always
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('audit.event', '_100_refuse_change', true),
      ('audit.event', '_110_refuse_truncate', true)
    ) as g ("table", trigger, is_always)
    join tenant_table as t on t.name = g."table"
  ),
  trigger_finding as (
    select
      format('trigger %I on %s', e.trigger, e."table") as subject,
      case e.trigger
        when '_900_record' then 'The trigger is missing: changes leave no trace in the audit log.'
        else 'The guard is missing: what must not be changed can be.'
      end as finding,
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate') as remedy
    from expected_trigger as e
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.trigger)
    union all
    select
      format('trigger %I on %s', e.trigger, e."table"),
      'The trigger doesn''t fire after each INSERT, UPDATE and DELETE: some changes leave no trace in the audit log.',
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate')
    from expected_trigger as e
    join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.trigger
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where
      e.trigger = '_900_record'
      -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16
      and (t.tgtype & 31 <> 29 or t.tgqual is not null or t.tgattr::text <> '' or f.pronamespace <> 'audit'::regnamespace)
    union all
    select
      format('trigger %I on %s', t.tgname, r.name),
      case
        when t.tgenabled = 'D' then 'The trigger is disabled.'
        when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
        else 'The guard doesn''t fire where session_replication_role says replica.'
      end,
      format(
        'alter table %s enable %strigger %I;', r.name, case when e.is_always then 'always ' end, t.tgname
      )
    from relation as r
    join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
    left join expected_trigger as e on e.oid = r.oid and e.trigger = t.tgname
    where t.tgenabled in ('D', 'R') or (e.is_always and t.tgenabled <> 'A')
  ),

  -- Else EXPLAIN tells one tenant what another has. By name: what is read before the organization is known.
  key as (
    select
      'index' as noun, i.indexrelid::regclass as index, t.name as "table", null::name as name,
      format('index %s on %s', i.indexrelid::regclass, t.name) as subject,
      'The index isn''t led by organization_id: EXPLAIN shows one tenant what another has.' as finding
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    where
      i.indkey[0] <> t.tenant_column
      and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
    union all
    select
      'constraint', null, t.name, c.conname, format('constraint %I on %s', c.conname, t.name),
      case c.contype
        when 'f' then 'The foreign key isn''t led by organization_id: it can refer to another tenant''s row.'
        else 'The key isn''t led by organization_id: EXPLAIN shows one tenant what another has.'
      end
    from tenant_table as t
    join pg_catalog.pg_constraint as c on c.conrelid = t.oid
    left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
    where
      t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
      and c.conname <> 'api_key_digest_is_unique'
  ),
  index_finding as (
    select
      k.subject,
      k.finding,
      coalesce(
        d.remedy,
        case k.noun
          when 'index' then format('drop index %s;', k.index)
          else format('alter table %s drop constraint %I;', k."table", k.name)
        end
      ) as remedy
    from key as k
    left join drift as d on d.object = k.subject
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, r.name),
      'The index is invalid: CREATE INDEX CONCURRENTLY broke off, and no query uses it.',
      format('reindex index %s;', i.indexrelid::regclass)
    from relation as r
    join pg_catalog.pg_index as i on i.indrelid = r.oid
    where not i.indisvalid
    union all
    select
      format('column %s.%I', t.name, a.attname),
      'ANALYZE keeps statistics of the column: EXPLAIN shows one tenant what another has.',
      format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
    from tenant_table as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    where coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, t.name),
      'ANALYZE keeps statistics of an expression in the index: EXPLAIN shows one tenant what another has.',
      format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
    where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('statistics %I.%I', n.nspname, s.stxname),
      'ANALYZE keeps statistics of several columns: EXPLAIN shows one tenant what another has.',
      format('drop statistics %I.%I;', n.nspname, s.stxname)
    from tenant_table as t
    join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
    join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  ),

  -- Whose rights a SECURITY DEFINER function may have, by schema; the first is the usual one.
  definer as (
    select d.schema, array_agg(d.owner order by d.rank) as owners
    from (values
      ('api', 'leads_exec', 1), ('auth', 'leads_auth', 1), ('audit', 'leads_audit', 1), ('audit', 'leads_eraser', 2),
      ('admin', 'leads_jobs', 1), ('admin', 'leads_owner', 2)
    ) as d (schema, owner, rank)
    group by d.schema
  ),
  function_finding as (
    select
      'function ' || f.name as subject,
      'A caller''s search_path, or temporary objects, decide what the names in it mean.' as finding,
      format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name) as remedy
    from routine as f
    where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
    union all
    select
      format('grant execute on routine %s to public', f.name),
      'Everybody may execute it.',
      format('revoke execute on routine %s from public;', f.name)
    from routine as f
    where
      f.is_ours
      -- By name: the shim's question whether its own login may serve.
      and f.name::text <> 'api.session_faults()'
      and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
    union all
    select
      'function ' || f.name,
      format('It belongs to %s.', f.owner),
      format('alter routine %s owner to %I;', f.name, coalesce(d.owners[1], 'leads_owner'))
    from routine as f
    left join definer as d on d.schema = f.schema
    where f.is_ours and (not f.is_owner_ours or (f.is_definer and not f.owner = any (d.owners)))
    union all
    select
      'function ' || f.name,
      format('It is SECURITY DEFINER, and has the rights of %s; in this schema none needs another''s.', f.owner),
      format('alter routine %s security invoker;', f.name)
    from routine as f
    where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
    union all
    select
      format('%s %s', k.noun, c.oid::regclass),
      format('It has the rights of %s, and stands outside our schemas.', c.relowner::regrole),
      format('drop %s %s;', k.noun, c.oid::regclass)
    from pg_catalog.pg_class as c
    join our_role as r on r.oid = c.relowner
    join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
      on k.kind = c.relkind
    where c.relnamespace not in (select s.oid from our_schema as s)
    union all
    select
      'function ' || f.name,
      format('It has the rights of %s, and stands outside our schemas.', f.owner),
      format('drop routine %s;', f.name)
    from routine as f
    where f.is_owner_ours and not f.is_ours
    union all
    select
      'function ' || f.name,
      'It counts as leakproof: the planner may show it rows that a policy hides.',
      format('/* as a superuser */ alter function %s not leakproof;', f.name)
    from routine as f
    where f.is_ours and f.is_leakproof
    union all
    select
      format('default privileges of %s on functions', r.name),
      'Everybody may execute each function that the role makes.',
      format('alter default privileges for role %I revoke execute on functions from public;', r.name)
    from our_role as r
    left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
    where
      r.kind in ('owner', 'sealed')
      and r.oid is not null
      and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0)
  ),

  held as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as privilege, x.grantee
    from relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %I', s.name), true, lower(x.privilege_type), x.grantee
    from our_schema as s
    cross join lateral aclexplode(s.acl) as x
  ),
  grant_finding as (
    select
      format('grant %s on %s to %s', h.privilege, h.target, r.name) as subject,
      case
        when h.is_schema then 'It can make objects, and so stand in for ours.'
        else 'The login reaches tables by functions alone.'
      end as finding,
      format('revoke %s on %s from %I;', h.privilege, h.target, r.name) as remedy
    from held as h
    join our_role as r on r.oid = h.grantee
    where
      case
        when h.is_schema then h.privilege = 'create' and r.kind in ('login', 'group')
        else r.kind = 'login'
      end
    union all
    select
      format('grant %s on %s to public', h.privilege, h.target),
      'Everybody has it.',
      format('revoke %s on %s from public;', h.privilege, h.target)
    from held as h
    where h.grantee = 0
    union all
    select
      format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
      case x.privilege_type
        when 'CREATE' then 'It can make schemas, and so stand in for functions of others.'
        else 'It can make temporary objects, which stand in for others where a search_path is open.'
      end,
      case
        when r.name is null and x.privilege_type = 'TEMPORARY'
        then 'As a superuser, in this database: psql -f app/superuser.sql'
        else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
      end
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    left join our_role as r on r.oid = x.grantee
    where
      d.datname = current_database()
      and x.privilege_type in ('CREATE', 'TEMPORARY')
      and (x.grantee = 0 or r.kind in ('login', 'group'))
    union all
    select
      format('grant %s on schema public to public', lower(x.privilege_type)),
      'The schema public stays empty, and nobody''s.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'public' and x.grantee = 0
    union all
    select
      format('grant execute on function %s to public', f.oid::regprocedure),
      'Everybody can keep data in large objects, which belong to no organization and have no policy.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_proc as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
    where
      f.pronamespace = 'pg_catalog'::regnamespace
      and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
      and x.grantee = 0
    union all
    select
      format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
      'It can change a setting that is a superuser''s.',
      format(
        '/* as a superuser */ revoke %s on parameter %s from %s;',
        lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
      )
    from pg_catalog.pg_parameter_acl as p
    cross join lateral aclexplode(p.paracl) as x
    left join our_role as r on r.oid = x.grantee
    where x.grantee = 0 or r.oid is not null
  ),

  setting_finding as (
    select
      'setting ' || w.name as subject,
      case w.harm
        when 'loss' then 'A power cut can destroy the database.'
        when 'decay' then 'What a disk has spoilt isn''t noticed.'
        when 'parameters' then 'The server''s log can show parameters, which are credentials and personal data.'
        when 'rows' then 'The server''s log can show personal data: the DETAIL of an error holds the row.'
      end as finding,
      case w.harm
        when 'decay' then 'Stop the server, and say: pg_checksums --enable -D DATA_FOLDER'
        else format('As a superuser: alter system set %s = %L; then: select pg_reload_conf();', w.name, w.good)
      end as remedy
    from (values
      ('fsync', 'on', 'loss'),
      ('full_page_writes', 'on', 'loss'),
      ('data_checksums', 'on', 'decay'),
      ('log_error_verbosity', 'terse', 'rows'),
      ('log_parameter_max_length', '0', 'parameters'),
      ('log_parameter_max_length_on_error', '0', 'parameters'),
      -- Of libraries that the server may load.
      ('auto_explain.log_parameter_max_length', '0', 'parameters'),
      ('pgaudit.log_parameter', 'off', 'parameters')
    ) as w (name, good, harm)
    join pg_catalog.pg_settings as s on s.name = w.name
    where s.setting <> w.good
    union all
    select
      'setting synchronous_commit', 'A power cut can lose what was acknowledged.',
      'As a superuser: alter system set synchronous_commit = ''on''; then: select pg_reload_conf();'
    from pg_catalog.pg_settings as s
    where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
    union all
    select
      format(
        'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
      ),
      case
        when c.name like 'leads.%' then 'Each session of the login would begin with a claim.'
        when c.name = 'synchronous_commit' then 'A power cut can lose what was acknowledged.'
        when c.name like 'log\_%' then 'The server''s log can show credentials and personal data.'
        else 'It changes what our functions mean, or who is asking.'
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
    left join our_role as r on r.oid = s.setrole
    cross join lateral (
      select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
      from unnest(s.setconfig) as u (line)
    ) as c
    where
      s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
      and (s.setrole = 0 or r.oid is not null)
      and (
        -- One of our logins may set anything that it may set at all, and so break each later session of its own.
        r.oid is not null
        or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
        or c.name in ('local_preload_libraries', 'session_preload_libraries')
        or c.name like 'leads.%'
        or (c.name = 'synchronous_commit' and c.value = 'off')
        or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
        or (c.name = 'log_error_verbosity' and c.value <> 'terse')
      )
  ),

  found as (
    select * from role_finding
    union all select * from row_security_finding
    union all select * from policy_finding
    union all select * from trigger_finding
    union all select * from index_finding
    union all select * from function_finding
    union all select * from grant_finding
    union all select * from admin.api_findings(findings.release)
    union all select * from setting_finding
  )
  select f.subject, f.finding, f.remedy from found as f
  union all
  -- What a rule has named already isn't named again.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'None is kept: what somebody has changed can''t be told.'
      when d.object = 'catalogue' then 'Another PostgreSQL kept it: what somebody has changed can''t be told.'
      when d.change = 'new' then 'No migration has made it.'
      when d.change = 'missing' then 'It is missing: no migration has taken it away.'
      else 'It isn''t what the migrations have made.'
    end,
    d.remedy
  from drift as d
  where not exists (select from found as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: a row for each finding, with SQL that mends it (ending with a semicolon), or words.

release: the number of the newest migration that the asking program has; null: versions aren't compared. What it can't
see, for want of a superuser's rights: pg_hba.conf, passwords, what libraries the server loads, kept statistics.$$;

grant execute on function admin.findings(integer) to leads_operator;
-- end frozen sql/admin/findings.sql

set local role leads_owner;
revoke create on schema auth from leads_auth;
revoke create on schema api from leads_exec;
revoke create on schema admin from leads_jobs;
revoke create on schema audit from leads_audit;
reset role;

do $$
begin
  execute format('revoke leads_audit from %I', session_user);
end
$$;
