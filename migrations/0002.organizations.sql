-- Organizations, their pipeline stages and their API keys.
set local lock_timeout = '5s';
set local row_security = off;
set local role leads_owner;

create function app.new_id()
returns uuid
language sql
volatile
parallel safe
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
returns text
language sql
immutable
parallel safe
begin atomic
  select btrim(
    value,
    U&'\0009\000A\000B\000C\000D\0020\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
  );
end;

comment on function app.trim_text(text) is
  'The text without the white space at its ends: the 25 characters of Unicode''s property White_Space, whatever the '
  'database''s locale.';

-- In plpgsql: a CHECK is planned anew in every INSERT and UPDATE, and a function in SQL would be parsed and inlined
-- each time (a tenth of the cost of a write).
create function app.is_text(value text, max_length integer)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return char_length(value) between 1 and max_length and value = app.trim_text(value);
end
$$;

comment on function app.is_text(text, integer) is
  'Whether the value is a text of 1 to max_length characters with no white space at its ends. Null for null.';

create function app.is_name(value text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return value collate "C" ~ '^[a-z0-9][a-z0-9_-]{0,63}$';
end
$$;

comment on function app.is_name(text) is
  'Whether the value is a machine name of 1 to 64 characters: a-z, 0-9, and after the first character _ and -.';

create table app.organization (
  organization_id uuid not null default app.new_id(),
  name text not null,
  environment text not null default 'live',
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint organization_pkey primary key (organization_id),
  constraint organization_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  constraint organization_environment_is_live_or_test check (environment in ('live', 'test'))
);

comment on table app.organization is 'A tenant: a business that keeps its leads here.';
comment on column app.organization.environment is 'live or test; a test organization never causes a call to the outside.';

create table app.pipeline_stage (
  organization_id uuid not null,
  name text not null,
  position integer not null,
  constraint pipeline_stage_pkey primary key (organization_id, name),
  constraint pipeline_stage_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint pipeline_stage_name_is_name check (app.is_name(name)),
  constraint pipeline_stage_position_is_positive check (position > 0)
);

comment on table app.pipeline_stage is 'The stages that an organization''s leads pass through.';
comment on column app.pipeline_stage.position is 'Where the stage stands in the pipeline, from 1.';

alter table app.organization enable row level security, force row level security;
alter table app.pipeline_stage enable row level security, force row level security;

-- Statistics of a tenant table would tell one tenant, by EXPLAIN, what another has.
alter table app.organization
  alter column organization_id set statistics 0,
  alter column name set statistics 0,
  alter column environment set statistics 0,
  alter column created_at set statistics 0;
alter table app.pipeline_stage
  alter column organization_id set statistics 0,
  alter column name set statistics 0,
  alter column position set statistics 0;

grant execute on function app.new_id(), app.trim_text(text), app.is_text(text, integer), app.is_name(text)
  to leads_auth, leads_exec, leads_jobs, leads_audit;
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
  -- admin holds write, and write holds read: a key's scopes are written out.
  constraint api_key_scopes_are_a_level check (
    scopes in (array['read'], array['read', 'write'], array['read', 'write', 'admin'])
  )
);

comment on table auth.api_key is 'API keys. No key stands here, only the SHA-256 of its SHA-256.';
comment on column auth.api_key.scopes is 'What the key may do, each scope written out: {read}, {read,write} or {read,write,admin}.';
comment on column auth.api_key.digest is
  'SHA-256 of the SHA-256 of the key. The claim of a request is the inner digest, so what stands here is no claim.';
comment on column auth.api_key.expires_at is 'From this instant on the key is refused; null: never.';
comment on column auth.api_key.rotated_from is 'The key that this one replaces.';

alter table auth.api_key enable row level security, force row level security;

alter table auth.api_key
  alter column organization_id set statistics 0,
  alter column id set statistics 0,
  alter column name set statistics 0,
  alter column scopes set statistics 0,
  alter column digest set statistics 0,
  alter column created_at set statistics 0,
  alter column expires_at set statistics 0,
  alter column revoked_at set statistics 0,
  alter column rotated_from set statistics 0;

set local role leads_owner;

revoke create on schema auth from leads_auth;

reset role;
