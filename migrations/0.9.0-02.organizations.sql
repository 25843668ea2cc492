-- Organizations, their pipeline stages, their API keys and their analysts.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function app.new_id()
returns uuid language sql volatile parallel safe
begin atomic
  select (
    lpad(to_hex(t.micros / 1000), 12, '0')
    || '7'
    || lpad(to_hex(t.micros % 1000 * 4096 / 1000), 3, '0')
    || substr(gen_random_uuid()::text, 20)
  )::uuid
  from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros) as t;
end;

comment on function app.new_id() is
  'A new UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then the fraction of the millisecond in '
  '12 bits (section 6.2, method 3), so that ids made one after another keep their order; 62 random bits.';

create function app.trim_text(value text)
returns text language sql immutable parallel safe
begin atomic
  select btrim(
    value,
    U&'\0009\000A\000B\000C\000D\0020\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
  );
end;

comment on function app.trim_text(text) is
  'The text without white space at its ends: the 25 characters of Unicode''s property White_Space, in every locale of the '
  'database.';

-- In plpgsql, because a CHECK is planned in every INSERT and UPDATE. A function in SQL would be parsed and inlined each
-- time, which would add a tenth to the cost of a write.
create function app.is_text(value text, max_length integer)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return char_length(value) between 1 and max_length and value = app.trim_text(value);
end $$;

comment on function app.is_text(text, integer) is
  'Whether the value is a text of 1 to max_length characters without white space at its ends. Null for null.';

create function app.is_name(value text)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return value collate "C" ~ '^[a-z0-9][a-z0-9_-]{0,63}$';
end $$;

comment on function app.is_name(text) is
  'Whether the value is a machine name of 1 to 64 characters: a-z, 0-9, and after the first character _ and -.';

create table app.organization (
  organization_id uuid not null default app.new_id(),
  name text,
  environment text not null default 'live',
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  erased_at timestamptz(3),
  constraint organization_pkey primary key (organization_id),
  constraint organization_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  constraint organization_has_a_name_until_it_is_erased check ((name is null) = (erased_at is not null)),
  constraint organization_environment_is_live_or_test check (environment in ('live', 'test'))
);

comment on table app.organization is
  'The tenants: businesses that keep their leads here. After an erasure only this row and the audit log remain.';
comment on column app.organization.name is 'The business''s name; null once it is erased.';
comment on column app.organization.environment is 'live or test. A test organization never causes a call to another system.';
comment on column app.organization.erased_at is 'When it was erased; null: it is not erased.';

-- A function takes or returns such a type and never the table's row type, because PostgreSQL would then refuse
-- `alter table … add column … default …`.
create type app.organization_values as (
  organization_id uuid,
  name text,
  environment text,
  created_at timestamptz(3),
  erased_at timestamptz(3)
);

comment on type app.organization_values is 'A row of app.organization: the same columns, in the same order.';

create table app.pipeline_stage (
  organization_id uuid not null,
  name text not null,
  position integer not null,
  constraint pipeline_stage_pkey primary key (organization_id, name),
  constraint pipeline_stage_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint pipeline_stage_name_is_name check (app.is_name(name)),
  constraint pipeline_stage_position_is_positive check (position > 0)
);

comment on table app.pipeline_stage is 'The stages of an organization''s pipeline.';
comment on column app.pipeline_stage.position is 'The stage''s place in the pipeline, from 1.';

alter table app.organization enable row level security, force row level security;
alter table app.pipeline_stage enable row level security, force row level security;

grant execute on function app.new_id(), app.trim_text(text), app.is_text(text, integer), app.is_name(text)
  to leads_auth, leads_exec, leads_jobs, leads_audit;
-- A constraint on the organization's name calls these when an organization is erased.
grant execute on function app.is_text(text, integer), app.trim_text(text) to leads_eraser;
grant references on app.organization to leads_auth;
grant create on schema auth to leads_auth;

set local role leads_auth;

create table auth.api_key (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  name text,
  scopes text[] not null,
  digest bytea not null,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  rotated_from uuid,
  constraint api_key_pkey primary key (organization_id, id),
  constraint api_key_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint api_key_rotated_from_is_api_key foreign key (organization_id, rotated_from) references auth.api_key,
  constraint api_key_digest_is_unique unique (digest),
  constraint api_key_digest_has_32_bytes check (octet_length(digest) = 32),
  constraint api_key_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  -- admin includes write, and write includes read: each scope of a key is listed.
  constraint api_key_scopes_are_a_level check (
    scopes in (array['read'], array['read', 'write'], array['read', 'write', 'admin'])
  )
);

comment on table auth.api_key is 'API keys. The key itself is not stored: only the SHA-256 of its SHA-256 is.';
comment on column auth.api_key.scopes is 'What the key may do: {read}, {read,write} or {read,write,admin}.';
comment on column auth.api_key.digest is
  'SHA-256 of the SHA-256 of the key. A request proves its key with the inner digest, so this digest proves nothing.';
comment on column auth.api_key.expires_at is 'The key is refused from this time on; null: it does not expire.';
comment on column auth.api_key.rotated_from is 'The id of the key that this key replaces.';

alter table auth.api_key enable row level security, force row level security;

create table auth.analyst (
  organization_id uuid not null,
  role_oid oid not null,
  role_name name not null,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  expires_at timestamptz(3),
  constraint analyst_pkey primary key (organization_id, role_oid),
  constraint analyst_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint analyst_role_oid_is_unique unique (role_oid)
);

comment on table auth.analyst is 'Analysts'' logins. Each is bound to one organization.';
comment on column auth.analyst.role_oid is 'The login''s oid in this cluster.';
comment on column auth.analyst.role_name is
  'The login''s name. The oid and the name must both match, because after a restore, or after the login was dropped, another '
  'role can have the oid.';
comment on column auth.analyst.expires_at is 'The login sees no row from this time on; null: the binding does not expire.';

alter table auth.analyst enable row level security, force row level security;

set local role leads_owner;

revoke create on schema auth from leads_auth;

reset role;
