-- Hand-written DDL for the next release: what sql/ cannot say, such as a table, a column or a type.
-- CONTRIBUTING.md, section "Migrations", has the rules. make release moves it into migrations.

-- migration: number_checks
-- Checks the size of a number before its digits are written out.
--
-- Locks: none that matter; two functions are replaced, and one is added.
-- Duration: 0 s per million rows: no row is read. The functions return the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function scoring.is_decimal(value jsonb, low numeric, high numeric)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return
    jsonb_typeof(value) = 'number'
    and value::numeric between is_decimal.low and is_decimal.high
    and value::numeric = round(value::numeric, 2);
end $$;

-- The planner puts the expression into the query that calls it.
create function scoring.is_signal_member(key text, value jsonb)
returns boolean language sql immutable parallel safe
begin atomic
  select
    char_length(key) between 1 and 64
    and case jsonb_typeof(value)
      when 'number' then
        -- 1e131071 has 8 bytes, and 131,072 digits as text. Most numbers are short, which costs less
        -- to find out than their text.
        abs(value::numeric) < 1e15 and scale(value::numeric) < 15
        or abs(value::numeric) < 1e40 and scale(value::numeric) < 40 and char_length(value #>> '{}') <= 40
      when 'string' then char_length(value #>> '{}') <= 1000
      when 'object' then false
      when 'array' then false
      else true
    end;
end;

comment on function scoring.is_signal_member(text, jsonb) is
  'Whether the value is true, false, null, a number of up to 40 digits or a text of up to 1,000 characters, under a name '
  'of 1 to 64 characters.';

grant execute on function scoring.is_signal_member(text, jsonb) to leads_exec, leads_jobs;

create or replace function scoring.is_signal_value(value jsonb)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  -- A query takes ten times as long as an expression. It is needed for an object only.
  if jsonb_typeof(is_signal_value.value) = 'object' then
    return (
      select count(*) <= 32 and coalesce(bool_and(scoring.is_signal_member(m.key, m.value)), true)
      from jsonb_each(is_signal_value.value) as m (key, value)
    );
  end if;
  return scoring.is_signal_member('value', is_signal_value.value);
end $$;

reset role;

-- migration: cursor_check
-- Checks a cursor by writing it again. The check of each part cost more than a page.
--
-- Locks: none that matter; a function is replaced.
-- Duration: 0 s per million rows: no row is read. The function returns the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function api.is_cursor(value text)
returns boolean language plpgsql immutable strict parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  v_content text collate "C";
begin
  -- A pattern with limits for the number of characters would be ten to a hundred times as slow.
  if char_length(is_cursor.value) > 200 or is_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  v_content := convert_from(
    decode(translate(is_cursor.value, '-_', '+/') || repeat('=', -char_length(is_cursor.value) & 3), 'base64'), 'UTF8'
  );
  -- Before the cast: for each name of a time zone in a text, a session keeps 24 KB until it ends.
  if translate(substr(v_content, 16, 24), '123456789', '000000000') <> '0000-00-00T00:00:00.000Z' then
    return false;
  end if;
  -- The same text again, if each part has its place and is written as the API writes it.
  return v_content = concat(
    '{"created_at":"',
    to_char(substr(v_content, 16, 24)::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    '","id":"', substr(v_content, 48, 36)::uuid, '"}'
  );
exception
  when data_exception then
    return false;
end $$;

reset role;

-- migration: text_checks
-- Checks texts in less time: patterns without limits for the number of characters, and no call for a null.
--
-- Locks: none that matter; three functions are replaced.
-- Duration: 0 s per million rows: no row is read. The functions return the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function app.is_text(value text, max_length integer)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return char_length(value) between 1 and max_length and value = app.trim_text(value);
end $$;

create or replace function app.is_name(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return octet_length(value) <= 64 and value collate "C" ~ '^[a-z0-9][a-z0-9_-]*$';
end $$;

create or replace function app.is_email(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when octet_length(value) > 64 then
      char_length(value) <= 254
      and value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$'
    -- No part of a short value is too long.
    else
      value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+$'
  end;
end $$;

reset role;

-- migration: new_ids
-- Makes ids with the function that PostgreSQL has from version 18 on.
--
-- Locks: none that matter; a function is replaced.
-- Duration: 0 s per million rows: no row is read. The ids have the same form as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

do $$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    create or replace function app.new_id()
    returns uuid language sql volatile parallel safe
    begin atomic
      select uuidv7();
    end;
  end if;
end $$;

reset role;

-- migration: router_login
-- Creates the login of leads cells sync, which reads the digests of the keys and forms that the router sends to this cell.
--
-- Locks: none on a table; the catalogue of roles for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.
do $$
begin
  -- A role belongs to the whole cluster, where another database may have created it.
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = 'leads_router') then
    create role leads_router login;
  end if;
end $$;

set local role leads_owner;
grant usage on schema admin to leads_router;
reset role;

-- migration: reserved_connections
-- Lets the service's logins use the server's reserved connections, from PostgreSQL 16 on.
--
-- Locks: none on a table; the catalogue of memberships for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.
do $$
begin
  -- Only a superuser can let the migrating login grant it (app/superuser.sql).
  if exists (
    select
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as r on r.oid = m.roleid
    where
      r.rolname = 'pg_use_reserved_connections' and m.member::regrole::name = current_user and m.admin_option
  )
  then
    grant pg_use_reserved_connections to leads_api, leads_operator, leads_worker, leads_router;
  end if;
end $$;

-- migration: lead_item
-- Adds a column for the JSON text that a list shows of a lead.
--
-- Locks: ACCESS EXCLUSIVE on app.lead for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read. The column is null until a trigger sets it.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
alter table app.lead
  add column item text,
  alter column item set statistics 0;
comment on column app.lead.item is
  'The lead as a list shows it, as JSON text; a trigger sets it. Null: not set yet, so that readers compute it.';
alter type app.lead_values add attribute item text;
reset role;

-- migration: lead_items
-- Sets the JSON text of the leads that exist. The new release can be started before it has ended.
--
-- Locks: the rows of a batch, for about 0.1 s; a PATCH of one of them waits.
-- Duration: 230 s per million rows of app.lead, each commit flushed to disk. Each row is written once more: the table's
--   files grow to three times their size, and its indexes by half. After VACUUM, new rows use the space of the old ones.
-- Phase: expand
-- If it breaks off: leads without the text are shown as before, in as much time as before; run leads migrate again.
-- backfill: admin.fill_lead_items (app.lead)

-- migration: lead_field_kinds
-- Tells the fields of a lead that PATCH /leads/{id}/details changes, and adds the kinds of their values.
--
-- Locks: ACCESS EXCLUSIVE on app.lead_field for a catalogue change; some requests wait for some milliseconds.
-- Duration: 0 s per million rows: the table has a row for each field of a lead.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table app.lead_field
  add column is_detail boolean not null default false,
  -- Wider ones follow. The table has a row for each field of a lead.
  -- squawk-ignore ban-drop-constraint
  drop constraint lead_field_kind_is_known,
  -- squawk-ignore ban-drop-constraint
  drop constraint lead_field_text_has_a_limit;
alter table app.lead_field
  -- squawk-ignore constraint-missing-not-valid
  add constraint lead_field_kind_is_known
    check (kind in ('text', 'email', 'name', 'score', 'stage', 'phone', 'details')),
  -- squawk-ignore constraint-missing-not-valid
  add constraint lead_field_text_has_a_limit
    check ((kind in ('text', 'email', 'name', 'phone')) = (max_length is not null));
comment on column app.lead_field.is_detail is
  'Whether PATCH /leads/{id}/details changes the field, and PATCH /leads/{id} does not.';
comment on column app.lead_field.kind is
  'text: a text; email: an e-mail address; name: a machine name; score: a whole number from 0 to 100; stage: a pipeline '
  'stage of the organization; phone: a phone number; details: an object of texts, numbers and booleans.';

reset role;

-- migration: organization_settings
-- Adds two settings to each organization: the country code of phone numbers, and whether a name and a phone suffice.
--
-- Locks: ACCESS EXCLUSIVE on app.organization for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: the default is kept in the catalogue.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table app.organization
  add column accepts_name_and_phone boolean not null default false,
  add column country_code text,
  -- The table has a row for each organization.
  -- squawk-ignore constraint-missing-not-valid
  add constraint organization_country_code_is_1_to_3_digits check (country_code ~ '^[1-9][0-9]{0,2}$'),
  alter column accepts_name_and_phone set statistics 0,
  alter column country_code set statistics 0;
comment on column app.organization.accepts_name_and_phone is
  'Whether a lead may have a name and a phone number as its only contact data.';
comment on column app.organization.country_code is
  'The country calling code of phone numbers without one, such as 1 or 44, without +. Null: they are not completed.';
alter type app.organization_values
  add attribute accepts_name_and_phone boolean,
  add attribute country_code text;

reset role;

-- migration: lead_details
-- Adds a phone number, the client's own id and details to each lead.
--
-- Locks: ACCESS EXCLUSIVE on app.lead for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function app.is_phone(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return
    app.is_text(is_phone.value, 64)
    and char_length(regexp_replace(is_phone.value, '[^0-9]', '', 'g')) between 3 and 20;
end $$;

comment on function app.is_phone(text) is
  'Whether the value is a text of 1 to 64 characters, with 3 to 20 digits. It may have an extension, and words such as '
  '"tel". Null for null.';

create function app.is_details(value jsonb)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(is_details.value) <> 'object' or octet_length(is_details.value::text) > 16384 then
    return false;
  end if;
  return (
    select
      count(*) between 1 and 50
      and bool_and(
        m.key collate "C" ~ '^[a-z][a-z0-9_]*$'
        -- A signal has the same limits for a name, a text and a number.
        and scoring.is_signal_member(m.key, m.value)
        and case jsonb_typeof(m.value)
          when 'string' then app.is_text(m.value #>> '{}', 1000)
          when 'null' then false
          else true
        end
      )
    from jsonb_each(is_details.value) as m (key, value)
  );
end $$;

comment on function app.is_details(jsonb) is
  'Whether the value is an object of 1 to 50 members and at most 16,384 bytes as text. A name is 1 to 64 of the characters '
  'a-z, 0-9 and _, and begins with a letter. A value is a text of 1 to 1,000 characters, a number of up to 40 characters, '
  'true or false. Null for null.';

grant execute on function app.is_phone(text), app.is_details(jsonb) to leads_exec, leads_jobs;

alter table app.lead
  add column phone text,
  add column phone_key text collate "C",
  add column reference text,
  add column details jsonb,
  add constraint lead_has_email_or_name_and_company_or_phone
    check (email is not null or (name is not null and (company is not null or phone is not null))) not valid,
  add constraint lead_phone_is_phone check (app.is_phone(phone)) not valid,
  add constraint lead_reference_is_text_of_1_to_255 check (app.is_text(reference, 255)) not valid,
  add constraint lead_details_are_details check (app.is_details(details)) not valid,
  alter column phone set statistics 0,
  alter column phone_key set statistics 0,
  alter column reference set statistics 0,
  alter column details set statistics 0;

comment on column app.lead.phone is 'The phone number as it was sent. Two leads can have the same one.';
comment on column app.lead.phone_key is
  'The phone number in E.164, such as +15550100199; only its digits, if the country is not known. A trigger sets it. The '
  'filter by phone compares it.';
comment on column app.lead.reference is 'The client''s own id of the lead, unique in the organization.';
comment on column app.lead.details is 'Other values about the lead, by name: texts, numbers and booleans. Null: none.';

alter type app.lead_values
  add attribute phone text,
  add attribute phone_key text collate "C",
  add attribute reference text,
  add attribute details jsonb;

create type api.lead_details as (
  id uuid,
  phone text,
  reference text,
  details json,
  updated_at api.utc_time
);
comment on type api.lead_details is 'The contact data and details of a lead that GET /leads/{id} does not show.';
comment on column api.lead_details.details is 'Other values by name: texts, numbers and booleans. It is {} if there are none.';

create type api.lead_details_input as (
  phone text,
  reference text,
  details json
);
comment on type api.lead_details_input is 'A change of the details of a lead: each member is optional.';

create type api.new_lead_input as (
  name text,
  company text,
  email text,
  source text,
  lead_score integer,
  pipeline_stage text,
  industry text,
  company_size text,
  pain_points text,
  timeline text,
  budget_range text,
  ai_reasoning text,
  phone text,
  reference text,
  details json
);
comment on type api.new_lead_input is 'The fields of a new lead: each member is optional.';

reset role;

-- migration: lead_details_checks
-- Validates the limits of a lead's phone number, reference and details, and removes the narrower rule for contact data.
--
-- Locks: SHARE UPDATE EXCLUSIVE on app.lead while it is read, ACCESS EXCLUSIVE for some milliseconds at the end.
-- Duration: 0.3 s per million rows of app.lead, whose new columns are null.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.
-- transactional: false
-- squawk-disable-assume-in-transaction

-- step
begin;
set local role leads_owner;
-- One statement, so that the table is read once.
alter table app.lead
  validate constraint lead_has_email_or_name_and_company_or_phone,
  validate constraint lead_phone_is_phone,
  validate constraint lead_reference_is_text_of_1_to_255,
  validate constraint lead_details_are_details;
reset role;
commit;

-- step
begin;
set local role leads_owner;
-- The wider constraint holds already.
-- squawk-ignore ban-drop-constraint
alter table app.lead drop constraint if exists lead_has_email_or_name_and_company;
reset role;
commit;

-- migration: lead_details_indexes
-- Builds the indexes for the filters by phone and by reference. One makes a reference unique in its organization.
--
-- Locks: SHARE UPDATE EXCLUSIVE on app.lead; requests go on.
-- Duration: 0.9 s per million rows of app.lead, whose new columns are null.
-- Phase: expand
-- If it breaks off: an invalid index may be left behind; run leads migrate again, which drops it.
-- transactional: false
-- squawk-disable-assume-in-transaction

-- step
create index concurrently if not exists lead_by_phone_key
  on app.lead (organization_id, phone_key, created_at desc, id desc) where phone_key is not null;

-- step
create unique index concurrently if not exists lead_by_reference
  on app.lead (organization_id, reference) where reference is not null;

-- migration: scoring_of_details
-- Lets the rules of scoring models read a lead's phone number, reference and details.
--
-- Locks: none that matter; a function is replaced.
-- Duration: 0 s per million rows: no row is read. The function accepts every model that it accepted before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function scoring.model_faults(document jsonb)
returns json language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(document) is distinct from 'object' then
    return json_build_array(json_build_object('field', '', 'code', 'wrong_type', 'detail', 'A model is an object.'));
  end if;
  return (
    with rule as (
      select 'rules[' || r.ordinality - 1 || ']' as path, r.ordinality as position, r.rule
      from jsonb_array_elements(
        case jsonb_typeof(document -> 'rules') when 'array' then document -> 'rules' else '[]' end
      ) with ordinality as r (rule, ordinality)
    ),
    -- A rule that is not an object has only this one fault.
    object_rule as (
      select
        r.path, r.position, r.rule,
        coalesce(r.rule ->> 'operator', 'present') as operator,
        r.rule ? 'signal' as is_of_signal,
        coalesce(r.rule -> 'field', 'null') = '"details"' as is_of_details
      from rule as r
      where jsonb_typeof(r.rule) = 'object'
    ),
    "group" as (
      select g.name, g.content
      from jsonb_each(
        case jsonb_typeof(document -> 'groups') when 'object' then document -> 'groups' else '{}' end
      ) as g (name, content)
    ),
    fault (position, field, code, detail) as (
      select 0, k.key, 'unknown_key', 'A model has base, rescore_on_signal, groups and rules.'
      from jsonb_object_keys(document) as k (key)
      where k.key not in ('base', 'rescore_on_signal', 'groups', 'rules')
      union all
      select 0, 'base', 'too_large', 'A model has at most 64 KiB as JSON, and at most 64 groups. Make it smaller.'
      where octet_length(document::text) > 65536 or (select count(*) from "group" as g) > 64
      union all
      select 0, 'base', 'out_of_range', 'This must be a number from 0 to 1 with at most two decimals.'
      where scoring.is_decimal(document -> 'base', 0, 1) is not true
      union all
      select 0, 'rescore_on_signal', 'wrong_type', 'This must be true or false.'
      where jsonb_typeof(document -> 'rescore_on_signal') <> 'boolean'
      union all
      select 0, 'groups', 'wrong_type', 'This must be a table that has a table for each group.'
      where jsonb_typeof(document -> 'groups') <> 'object'
      union all
      select 0, 'groups.' || g.name, 'invalid_name', 'A group''s name has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from "group" as g
      where not app.is_name(g.name)
      union all
      select
        0, 'groups.' || g.name || '.cap', 'out_of_range',
        'A group has a cap, a number from 0.01 to 1 with at most two decimals, and nothing else.'
      from "group" as g
      where
        scoring.is_decimal(g.content -> 'cap', 0.01, 1) is not true
        or g.content - 'cap' <> '{}'
      union all
      select 0, 'rules', 'wrong_type', 'This must be a list of rules; it may be empty.'
      where jsonb_typeof(document -> 'rules') is distinct from 'array'
      union all
      select 65, 'rules[64]', 'too_many', 'A model has at most 64 rules.'
      where jsonb_typeof(document -> 'rules') = 'array' and jsonb_array_length(document -> 'rules') > 64
      union all
      select r.position, r.path, 'wrong_type', 'A rule must be a table.'
      from rule as r
      where jsonb_typeof(r.rule) <> 'object'
      union all
      select
        r.position, r.path || '.' || k.key, 'unknown_key',
        'A rule has name, signal or field, key, operator, value, label, weight, half_life_hours and group.'
      from object_rule as r
      cross join jsonb_object_keys(r.rule) as k (key)
      where
        k.key not in (
          'name', 'signal', 'field', 'key', 'operator', 'value', 'label', 'weight', 'half_life_hours', 'group'
        )
      union all
      select
        r.position, r.path || '.name', 'invalid_name',
        'A rule has a name of 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where (jsonb_typeof(r.rule -> 'name') = 'string' and app.is_name(r.rule ->> 'name')) is not true
      union all
      select r.position, r.path || '.name', 'duplicate_name', format('Another rule has the name "%s".', r.rule ->> 'name')
      from object_rule as r
      where exists (select from object_rule as o where o.rule -> 'name' = r.rule -> 'name' and o.position < r.position)
      union all
      select r.position, r.path || '.signal', 'signal_or_field', 'A rule must have either signal or field.'
      from object_rule as r
      where r.is_of_signal = (r.rule ? 'field')
      union all
      select
        r.position, r.path || '.signal', 'invalid_name',
        'A signal''s type has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where r.is_of_signal and (jsonb_typeof(r.rule -> 'signal') = 'string' and app.is_name(r.rule ->> 'signal')) is not true
      union all
      select
        r.position, r.path || '.field', 'unknown_field',
        'The fields are name, company, email, phone, reference, source, industry, company_size, pain_points, timeline, '
        'budget_range and details.'
      from object_rule as r
      where
        r.rule ? 'field'
        and r.rule -> 'field' not in (
          '"name"', '"company"', '"email"', '"source"', '"industry"', '"company_size"', '"pain_points"', '"timeline"',
          '"budget_range"', '"phone"', '"reference"', '"details"'
        )
      union all
      select r.position, r.path || '.key', 'not_allowed', 
        'key requires a signal or the field details. It must be the name of a member of the value, of 1 to 64 characters.'
      from object_rule as r
      where
        r.rule ? 'key'
        and (
          (r.is_of_signal or r.is_of_details)
          and jsonb_typeof(r.rule -> 'key') = 'string'
          and char_length(r.rule ->> 'key') between 1 and 64
        ) is not true
      union all
      select r.position, r.path || '.key', 'required', 'The field details requires key, the name of a detail.'
      from object_rule as r
      where r.is_of_details and not r.rule ? 'key'
      union all
      select
        r.position, r.path || '.operator', 'unknown_operator',
        'The operators are present, absent, equals, differs, one_of, at_least and at_most.'
      from object_rule as r
      where
        r.rule ? 'operator'
        and r.rule -> 'operator' not in (
          '"present"', '"absent"', '"equals"', '"differs"', '"one_of"', '"at_least"', '"at_most"'
        )
      union all
      select r.position, r.path || '.operator', 'not_allowed', 
        'at_least and at_most compare numbers, and this field is a text. Use another operator.'
      from object_rule as r
      where r.operator in ('at_least', 'at_most') and not r.is_of_signal and not r.is_of_details
      union all
      select
        r.position, r.path || '.value', 'invalid_value',
        case
          when r.operator in ('present', 'absent') then 'The operators present and absent have no value. Leave it out.'
          when r.operator in ('at_least', 'at_most') then 'This must be a number of up to 40 digits.'
          when r.operator = 'one_of' then 'This must be a list of 1 to 50 texts and numbers.'
          else 'This must be true, a number or a text. (For false, use the operator absent.)'
        end
      from object_rule as r
      where
        case
          when r.operator in ('present', 'absent') then r.rule ? 'value'
          when r.operator in ('at_least', 'at_most') then
            (jsonb_typeof(r.rule -> 'value') = 'number' and scoring.is_signal_value(r.rule -> 'value')) is not true
          when r.operator in ('equals', 'differs') then
            (
              (jsonb_typeof(r.rule -> 'value') in ('number', 'string') or r.rule -> 'value' = 'true')
              and scoring.is_signal_value(r.rule -> 'value')
            ) is not true
          when r.operator = 'one_of' then
            case
              when jsonb_typeof(r.rule -> 'value') = 'array' then
                jsonb_array_length(r.rule -> 'value') not between 1 and 50
                or exists (
                  select
                  from jsonb_array_elements(r.rule -> 'value') as v (value)
                  where jsonb_typeof(v.value) not in ('number', 'string') or not scoring.is_signal_value(v.value)
                )
              else true
            end
          else false
        end
      union all
      select
        r.position, r.path || '.label', 'invalid_label',
        'A rule has a label: one line of 1 to 128 characters, without white space at its ends.'
      from object_rule as r
      where
        (
          jsonb_typeof(r.rule -> 'label') = 'string'
          and app.is_text(r.rule ->> 'label', 128)
          -- No control characters, line separators, or characters that change the direction of the text.
          and r.rule ->> 'label' collate "C" !~ U&'[\0001-\001F\007F-\009F\2028-\202E\2066-\2069]'
        ) is not true
      union all
      select
        r.position, r.path || '.weight', 'out_of_range',
        'A rule has a weight: a number from -1 to 1, except 0, with at most two decimals.'
      from object_rule as r
      where (scoring.is_decimal(r.rule -> 'weight', -1, 1) and (r.rule ->> 'weight')::numeric <> 0) is not true
      union all
      select
        r.position, r.path || '.half_life_hours', 'out_of_range',
        'This must be a number of hours from 0.01 to 87600 with at most two decimals.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and not scoring.is_decimal(r.rule -> 'half_life_hours', 0.01, 87600)
      union all
      select
        r.position, r.path || '.half_life_hours', 'not_allowed',
        'Only a signal that exists has an age. Leave this out for a field, and with the operator absent.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and (not r.is_of_signal or r.operator = 'absent')
      union all
      select r.position, r.path || '.group', 'unknown_group', 'This group does not exist. Add it to groups, with its cap.'
      from object_rule as r
      where
        r.rule ? 'group'
        and not exists (select from "group" as g where to_jsonb(g.name) = r.rule -> 'group')
    )
    select json_agg(
      json_build_object('field', left(f.field, 200), 'code', f.code, 'detail', f.detail)
      order by f.position, f.field, f.code
    )
    from fault as f
  );
end $$;

reset role;

-- migration: lead_erasure
-- Adds the types of the responses of DELETE /leads/{id} and GET /leads/{id}/everything.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

-- audit.erase_own_lead asks which organization the key belongs to.
grant usage on schema auth to leads_eraser;

create type api.sent_contact as (
  email text,
  display_name text,
  sent_at api.utc_time
);
comment on type api.sent_contact is 'What was sent to a CRM by a call whose result is not known.';
comment on column api.sent_contact.email is 'The e-mail address.';
comment on column api.sent_contact.display_name is 'The name.';
comment on column api.sent_contact.sent_at is 'When it was sent.';

create type api.lead_copy as (
  vendor text,
  account text,
  status text,
  external_id text,
  may_have_made api.sent_contact[]
);
comment on type api.lead_copy is 'A record of a lead in a CRM.';
comment on column api.lead_copy.status is 'The status of the push that created the record, or that may have created it.';
comment on column api.lead_copy.external_id is 'The id of the record; null if it is not known.';
comment on column api.lead_copy.may_have_made is 'Calls that may have created a record. Look for it by these values.';

create type api.lead_erasure as (
  id uuid,
  status text,
  copies api.lead_copy[]
);
comment on type api.lead_erasure is 'The erasure of a lead.';
comment on column api.lead_erasure.id is 'The id of the lead.';
comment on column api.lead_erasure.status is
  'erased: the lead was erased. waiting: nothing was erased, because a push to the CRM is in progress; repeat the request.';
comment on column api.lead_erasure.copies is
  'The records in CRMs, which you must erase there.';

create type api.crm_attempt as (
  number integer,
  email text,
  display_name text,
  sent_at api.utc_time,
  outcome text,
  message text,
  created_at api.utc_time
);
comment on type api.crm_attempt is 'One try of a push.';
comment on column api.crm_attempt.email is 'The e-mail address that was sent to the CRM.';
comment on column api.crm_attempt.display_name is 'The name that was sent to the CRM. Null: nothing was sent that creates a record.';
comment on column api.crm_attempt.sent_at is 'When it was sent.';
comment on column api.crm_attempt.outcome is 'The result; null if it is not known.';
comment on column api.crm_attempt.message is 'The message of the CRM.';
comment on column api.crm_attempt.created_at is 'When the attempt began.';

create type api.crm_push as (
  vendor text,
  account text,
  status text,
  external_id text,
  error_code text,
  error text,
  last_synced_at api.utc_time,
  created_at api.utc_time,
  attempts api.crm_attempt[]
);
comment on type api.crm_push is 'A push of a lead to one account of a CRM, with its attempts.';
comment on column api.crm_push.created_at is 'When the push was first requested.';
comment on column api.crm_push.attempts is 'The attempts, the first one first.';

create type api.kept_answer as (
  status integer,
  body json,
  created_at api.utc_time
);
comment on type api.kept_answer is 'A response that is kept for 24 hours under an Idempotency-Key.';
comment on column api.kept_answer.status is 'The HTTP status.';
comment on column api.kept_answer.body is 'The body.';
comment on column api.kept_answer.created_at is 'When the request was made.';

create type api.lead_everything as (
  lead api.lead,
  details api.lead_details,
  signals api.signal[],
  scores api.score[],
  crm_pushes api.crm_push[],
  audit_events api.audit_event[],
  kept_answers api.kept_answer[],
  is_complete boolean
);
comment on type api.lead_everything is 'All that is stored about a lead.';
comment on column api.lead_everything.lead is 'The lead as GET /leads/{id} shows it.';
comment on column api.lead_everything.details is 'Its phone number, reference and details.';
comment on column api.lead_everything.signals is 'Its signals, the newest first.';
comment on column api.lead_everything.scores is 'Its scores, the newest first.';
comment on column api.lead_everything.crm_pushes is 'Its pushes to CRMs.';
comment on column api.lead_everything.audit_events is 'Its events in the audit log, the newest first.';
comment on column api.lead_everything.kept_answers is 'The responses about it that are kept under Idempotency-Keys.';
comment on column api.lead_everything.is_complete is
  'false: one of the lists has only its 1,000 newest entries. The others are in the pages of its own endpoint.';

reset role;

-- migration: lead_changes
-- Adds the parameters of a walk through the changes of leads.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function api.is_change_cursor(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  if char_length(is_change_cursor.value) > 150 or is_change_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  return convert_from(
    decode(translate(is_change_cursor.value, '-_', '+/') || repeat('=', -char_length(is_change_cursor.value) & 3), 'base64'),
    'UTF8'
  ) collate "C" ~ '^\{"position":(0|[1-9][0-9]{0,17}),"newest":(0|[1-9][0-9]{0,17}),"hash":"[0-9a-f]{16}"\}$';
exception
  when data_exception then
    return false;
end $$;

comment on function api.is_change_cursor(text) is
  'Whether the value is a cursor of a walk through the changes: unpadded base64url of JSON with a position in the chain '
  'of seals, that of the newest seal, and the first 8 bytes of its hash.';

grant execute on function api.is_change_cursor(text) to leads_exec, leads_api;

create domain api.lead_cursor as text
  constraint lead_cursor_is_well_formed check (api.is_cursor(value) or api.is_change_cursor(value));
comment on domain api.lead_cursor is 'The next_cursor of the previous page. Its content is opaque.';

create domain api.lead_order as text
  constraint lead_order_is_known check (value in ('created_at', 'updated_at'));
comment on domain api.lead_order is
  'created_at: all leads, newest first. updated_at: the leads that changed, in the order of their changes.';

reset role;

-- migration: route_limits
-- Adds to each route what its request may contain, how long it may take, and where its key stands.
--
-- Locks: ACCESS EXCLUSIVE on api.route for a catalogue change; servers read it at start only.
-- Duration: 0 s per million rows: the table has a row for each endpoint.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table api.route
  add column media_types text[] not null default '{application/json}',
  add column max_body_bytes integer not null default 65536,
  add column timeout_seconds integer not null default 10,
  add column is_streamed boolean not null default false,
  add column key_parameter text,
  -- Wider ones follow. The table has a row for each endpoint.
  -- squawk-ignore ban-drop-constraint
  drop constraint route_method_is_known,
  -- squawk-ignore ban-drop-constraint
  drop constraint route_scope_is_known;
alter table api.route
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_method_is_known check (method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_scope_is_known check (scope in ('read', 'write', 'admin', 'form')),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_has_media_types check (cardinality(media_types) > 0 and array_position(media_types, null) is null),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_takes_a_body_of_at_most_16_mib check (max_body_bytes between 1 and 16777216),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_takes_at_most_5_minutes check (timeout_seconds between 1 and 300),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_has_its_key_in_the_path check (strpos(path, '{' || key_parameter || '}') > 0);

comment on column api.route.media_types is 'The media types that the request''s body may have.';
comment on column api.route.max_body_bytes is 'The maximum size of the request''s body, compressed or not.';
comment on column api.route.timeout_seconds is
  'How many seconds the statement may take. If they are more than 10, the server runs it on a connection that it keeps for '
  'long statements.';
comment on column api.route.is_streamed is
  'Whether the server sends the body page by page: it calls the function again with each Next-Cursor, until there is none.';
comment on column api.route.key_parameter is
  'The parameter of the path that is the key, such as token in /in/{token}. Logs do not show it. Null: the key is in the '
  'header Authorization.';

reset role;

-- migration: intake_role
-- Creates the role and the schema of forms: addresses to which web pages and other services send leads.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

do $$
begin
  -- A role belongs to the whole cluster, where another database may have created it.
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = 'leads_intake') then
    create role leads_intake nologin;
  end if;
  execute format('grant leads_intake to %I', session_user);
end $$;

alter default privileges for role leads_intake revoke execute on functions from public;

create schema intake authorization leads_owner;

set local role leads_owner;

comment on schema intake is 'Forms: addresses to which web pages and other services send leads, and what they have sent.';

grant usage on schema intake to leads_intake, leads_exec, leads_jobs, leads_eraser;
grant usage on schema app, auth, audit, api, scoring, crm to leads_intake;
grant execute on function
  app.new_id(), app.trim_text(text), app.is_text(text, integer), app.is_name(text), app.is_email(text), app.is_phone(text),
  app.is_details(jsonb), scoring.is_signal_member(text, jsonb), scoring.is_signal_value(jsonb)
to leads_intake;

reset role;

-- migration: form_keys
-- Lets an API key be the token of a form, which can send leads through the form and do nothing else.
--
-- Locks: ACCESS EXCLUSIVE on auth.api_key for some milliseconds: the table has a row for each key.
-- Duration: 0.2 s per million rows of auth.api_key.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_auth;

alter table auth.api_key
  -- A wider one follows.
  -- squawk-ignore ban-drop-constraint
  drop constraint api_key_scopes_are_a_level;
alter table auth.api_key
  -- squawk-ignore constraint-missing-not-valid
  add constraint api_key_scopes_are_a_level check (
    scopes in (array['read'], array['read', 'write'], array['read', 'write', 'admin'], array['form'])
  );
comment on column auth.api_key.scopes is
  'What the key may do: {read}, {read,write} or {read,write,admin}; {form}: it is the token of a form.';
grant references on auth.api_key to leads_owner;

reset role;

-- migration: forms
-- Creates the tables of forms and of what they receive.
--
-- Locks: SHARE ROW EXCLUSIVE on app.organization, app.lead and auth.api_key for some milliseconds, for the foreign keys.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table intake.preset (
  name text not null,
  title text not null,
  source text not null,
  required jsonb not null default '{}',
  content_path text,
  list_path text,
  list_keys text[] not null default '{}',
  list_values text[] not null default '{}',
  list_labels text[] not null default '{}',
  titles_path text,
  event_paths text[] not null default '{}',
  signature text,
  mapping jsonb not null default '{}',
  constraint preset_pkey primary key (name),
  constraint preset_name_is_name check (app.is_name(name)),
  constraint preset_source_is_name check (app.is_name(source)),
  constraint preset_signature_is_known check (signature in ('google_key', 'typeform', 'calendly', 'webflow'))
);

comment on table intake.preset is 'What is known about the services that send leads: where their answers stand.';
comment on column intake.preset.title is 'The name of the service.';
comment on column intake.preset.source is 'The source of its leads, unless the form has another.';
comment on column intake.preset.required is
  'An object of paths and the value that each must have. Anything else that the service sends is no lead.';
comment on column intake.preset.content_path is 'The path of a text that is the JSON object with the answers.';
comment on column intake.preset.list_path is 'The path of a list, or an object, whose members are the answers.';
comment on column intake.preset.list_keys is 'The paths in an answer that name it: the first that is there.';
comment on column intake.preset.list_values is 'The paths in an answer that have its value: the first that is there.';
comment on column intake.preset.list_labels is 'The paths in an answer that have the text of its question.';
comment on column intake.preset.titles_path is 'The path of a list of questions, each with id and title.';
comment on column intake.preset.event_paths is 'The paths of the id of the submission: the first that is there.';
comment on column intake.preset.signature is
  'How the service proves that it is the sender, if the form has its secret. google_key: it sends the secret itself.';
comment on column intake.preset.mapping is
  'As intake.form.mapping. A name type:X stands for all answers of the type X.';

create table intake.form (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  key_id uuid not null,
  name text,
  preset text,
  source text not null,
  mapping jsonb not null default '{}',
  constants jsonb not null default '{}',
  origins text[] not null default '{}',
  honeypot text,
  redirect_url text,
  on_duplicate text not null default 'create',
  duplicate_hours integer not null default 24,
  requests_per_minute integer not null default 60,
  credential bytea,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint form_pkey primary key (organization_id, id),
  constraint form_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint form_has_a_key foreign key (organization_id, key_id) references auth.api_key,
  constraint form_key_is_of_one_form unique (organization_id, key_id),
  constraint form_preset_is_name check (app.is_name(preset)),
  constraint form_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  constraint form_source_is_name check (app.is_name(source)),
  constraint form_mapping_is_an_object check (jsonb_typeof(mapping) = 'object'),
  constraint form_constants_are_an_object check (jsonb_typeof(constants) = 'object'),
  constraint form_has_at_most_20_origins check (cardinality(origins) <= 20),
  constraint form_honeypot_is_text_of_1_to_64 check (app.is_text(honeypot, 64)),
  constraint form_redirect_url_is_http check (redirect_url ~ '^https?://' and char_length(redirect_url) <= 2000),
  constraint form_on_duplicate_is_known check (on_duplicate in ('create', 'skip', 'fill')),
  constraint form_looks_for_duplicates_of_at_most_a_year check (duplicate_hours between 1 and 8760),
  constraint form_takes_1_to_6000_requests_per_minute check (requests_per_minute between 1 and 6000)
);

comment on table intake.form is 'Forms: each is an address, with a token in it, to which anything can send leads.';
comment on column intake.form.key_id is 'The key that is the token of the form.';
comment on column intake.form.name is 'A name that says what the form is for.';
comment on column intake.form.preset is 'The service that sends to the form; null: anything.';
comment on column intake.form.source is 'The source of the form''s leads.';
comment on column intake.form.mapping is
  'An object: from the path or the question of a value to the field of the lead, details.NAME, signals.NAME, ignore, or '
  'auto: where its name usually belongs. * in a path stands for any characters.';
comment on column intake.form.constants is 'An object of values that each lead of the form has, by field or details.NAME.';
comment on column intake.form.origins is 'The origins of the web pages that may send to the form; empty: any.';
comment on column intake.form.honeypot is 'The name of a field that people do not see. What has a value in it is spam.';
comment on column intake.form.redirect_url is 'Where a browser goes after it has sent the form; null: it shows JSON.';
comment on column intake.form.on_duplicate is
  'What happens if the organization has a lead with the same e-mail address or phone number. create: another lead; skip: '
  'nothing; fill: the empty fields of the lead are filled in.';
comment on column intake.form.duplicate_hours is 'How old that lead may be.';
comment on column intake.form.requests_per_minute is 'How many requests a client address may send per minute.';
comment on column intake.form.credential is
  'The secret of the sender''s signature, encrypted with the SHA-256 of the token: 16 random bytes, then the ciphertext. '
  'The database stores neither the token nor its SHA-256.';

create table intake.submission (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  form_id uuid not null,
  event_digest bytea,
  content_digest bytea,
  outcome text not null,
  lead_id uuid,
  content jsonb,
  faults jsonb,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint submission_pkey primary key (organization_id, id),
  constraint submission_belongs_to_form foreign key (organization_id, form_id) references intake.form,
  constraint submission_belongs_to_lead foreign key (organization_id, lead_id) references app.lead on delete cascade,
  constraint submission_arrives_once unique (organization_id, form_id, event_digest),
  constraint submission_event_digest_has_32_bytes check (octet_length(event_digest) = 32),
  constraint submission_content_digest_has_32_bytes check (octet_length(content_digest) = 32),
  constraint submission_outcome_is_known
    check (outcome in ('received', 'created', 'skipped', 'filled', 'ignored', 'kept')),
  constraint submission_of_a_lead_names_it
    check ((lead_id is not null) = (outcome in ('created', 'skipped', 'filled'))),
  constraint submission_that_is_kept_has_its_content check (outcome <> 'kept' or (content is not null and faults is not null))
);

comment on table intake.submission is
  'What forms have received, for 30 days: what could not become a lead, or not whole, with its content and its faults; and '
  'that an event of a sender has arrived.';
comment on column intake.submission.event_digest is
  'SHA-256 of the sender''s id of the event. A repeat is dropped. Null: the sender gives none.';
comment on column intake.submission.content_digest is
  'SHA-256 of the content, even if that is not kept: a repeat has the same.';
comment on column intake.submission.outcome is
  'created: it became a lead; skipped, filled: it was a duplicate of the lead; ignored: it is no lead; kept: it could not '
  'become a lead; received: it is being read.';
comment on column intake.submission.content is
  'What was sent: media_type, and fields (of a form), body (JSON) or text, and query. Null: all of it is in the lead.';
comment on column intake.submission.faults is 'What was wrong: an array of {field, code, detail}. Null: nothing.';

create index submission_by_created_at on intake.submission (organization_id, created_at);
create index submission_by_lead_id on intake.submission (organization_id, lead_id);

create unlogged table intake.client (
  organization_id uuid not null,
  form_id uuid not null,
  address inet not null,
  free_at timestamptz(3) not null,
  constraint client_pkey primary key (organization_id, form_id, address),
  constraint client_belongs_to_form foreign key (organization_id, form_id) references intake.form on delete cascade
);

comment on table intake.client is
  'The client addresses that have lately sent to a form, for the rate limit. Not logged: a crash empties it.';
comment on column intake.client.address is 'The IPv4 address, or the IPv6 network of 64 bits.';
comment on column intake.client.free_at is
  'When the client will have used up nothing of its limit. Each request adds a minute divided by the requests per minute. '
  'A request is refused if it would be more than a minute from now.';

do $$
declare
  v_column record;
begin
  for v_column in
    select a.attrelid::regclass as of_table, a.attname as name
    from pg_catalog.pg_attribute as a
    where
      a.attrelid in ('intake.form'::regclass, 'intake.submission'::regclass, 'intake.client'::regclass)
      and a.attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column.of_table, v_column.name);
  end loop;
end $$;

alter table intake.form enable row level security, force row level security;
alter table intake.submission enable row level security, force row level security;
alter table intake.client enable row level security, force row level security;

create type api.form as (
  id uuid,
  organization_id uuid,
  name text,
  preset text,
  source text,
  mapping json,
  constants json,
  origins text[],
  honeypot text,
  redirect_url text,
  on_duplicate text,
  duplicate_hours integer,
  requests_per_minute integer,
  has_secret boolean,
  state text,
  address text,
  created_at api.utc_time
);
comment on type api.form is 'A form: an address to which anything can send leads.';
comment on column api.form.id is 'The form''s id.';
comment on column api.form.organization_id is 'The organization''s id.';
comment on column api.form.has_secret is 'Whether the signatures of the sender are checked.';
comment on column api.form.state is 'active or revoked.';
comment on column api.form.address is
  'The path of the address, with the token. Only the response that creates the form has it; otherwise it is null.';
comment on column api.form.created_at is 'When the form was created.';

create type api.form_input as (
  name text,
  preset text,
  source text,
  mapping json,
  constants json,
  origins text[],
  honeypot text,
  redirect_url text,
  on_duplicate text,
  duplicate_hours integer,
  requests_per_minute integer,
  secret text
);
comment on type api.form_input is 'A new form: each member is optional.';
comment on column api.form_input.secret is
  'The secret with which the sender signs; for google_ads, the key that it sends. 1 to 255 characters.';

create type api.form_submission as (
  id uuid,
  form_id uuid,
  outcome text,
  content json,
  faults json,
  created_at api.utc_time
);
comment on type api.form_submission is 'A submission of a form.';
comment on column api.form_submission.id is 'The submission''s id.';
comment on column api.form_submission.form_id is 'The form''s id.';
comment on column api.form_submission.created_at is 'When it arrived.';

alter type api.lead_everything add attribute submissions api.form_submission[];
comment on column api.lead_everything.submissions is 'The submissions of forms that became the lead, or a part of it.';

-- migration: exports
-- Adds the types of the exports, and the form of their responses in the reference.
--
-- Locks: ACCESS EXCLUSIVE on api.operation for a catalogue change; servers read it at start only.
-- Duration: 0 s per million rows: the table has a row for each endpoint.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function api.is_export_cursor(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  if char_length(is_export_cursor.value) > 200 or is_export_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  return convert_from(
    decode(translate(is_export_cursor.value, '-_', '+/') || repeat('=', -char_length(is_export_cursor.value) & 3), 'base64'),
    'UTF8'
  ) collate "C" ~ (
    '^\{"created_at":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",'
    '"id":"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}","rows":[1-9][0-9]{0,15}\}$'
  );
exception
  when data_exception then
    return false;
end $$;

comment on function api.is_export_cursor(text) is
  'Whether the value is a cursor of an export: unpadded base64url of JSON with the time and the id of the last row, and the '
  'number of rows so far.';

grant execute on function api.is_export_cursor(text) to leads_exec, leads_jobs, leads_api, leads_operator;

create domain api.export_cursor as text
  constraint export_cursor_is_well_formed check (api.is_export_cursor(value));
comment on domain api.export_cursor is 'The place of an export behind a page. The API server sends it, and no client.';

create domain api.export_format as text
  constraint export_format_is_known check (value in ('ndjson', 'csv'));
comment on domain api.export_format is
  'ndjson: a JSON object in each line. csv: comma-separated values (RFC 4180), in which spreadsheet formulas are escaped.';

create type api.exported_lead as (
  id uuid,
  organization_id uuid,
  name text,
  company text,
  email text,
  source text,
  lead_score integer,
  pipeline_stage text,
  industry text,
  company_size text,
  created_at api.utc_time,
  updated_at api.utc_time,
  pain_points text,
  timeline text,
  budget_range text,
  ai_reasoning text,
  qualification_completed_at api.utc_time,
  phone text,
  reference text,
  details json
);
comment on type api.exported_lead is 'A line of the export of leads: all fields of the lead, and its contact data and details.';
comment on column api.exported_lead.qualification_completed_at is
  'When the lead first reached the stage "qualified"; null if it has not.';
comment on column api.exported_lead.details is 'Other values by name: texts, numbers and booleans. It is {} if there are none.';

alter table api.operation
  -- A wider one follows. The table has a row for each endpoint.
  -- squawk-ignore ban-drop-constraint
  drop constraint operation_form_is_known;
alter table api.operation
  -- squawk-ignore constraint-missing-not-valid
  add constraint operation_form_is_known check (form in ('object', 'list', 'page', 'one_or_list', 'export'));
comment on column api.operation.form is
  'How the answer shows its type: object, list ({"data": […]}), page (a list with next_cursor), one_or_list (an object or a '
  'list, as in the request), or export (lines of NDJSON or CSV). Null: page if the function has the argument cursor, else '
  'object.';

reset role;

-- migration: unindexed_leads
-- Adds the queue of the leads whose words are not stored yet, and puts all leads into it.
--
-- Locks: none that matter; the leads are only read.
-- Duration: 1.4 s per million rows of app.lead. The worker then needs about 3 minutes. Until it has ended, a search reads
--   the leads themselves.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table app.unindexed_lead (
  organization_id uuid not null,
  lead_id uuid not null,
  constraint unindexed_lead_pkey primary key (organization_id, lead_id)
);

comment on table app.unindexed_lead is
  'The queue of leads whose words in app.lead_word may be missing or old. The sealer puts leads into it, and a worker takes them.';
comment on column app.unindexed_lead.lead_id is 'The lead. It may be gone.';

alter table app.unindexed_lead
  alter column organization_id set statistics 0,
  alter column lead_id set statistics 0;
grant insert on app.unindexed_lead to leads_jobs;
-- It has this privilege since 0.9.0. A database that is built from the tables and sql/ alone gets it later.
grant select on app.lead to leads_jobs;

-- It has a policy that shows the leads of all organizations. The table's owner has none.
set local role leads_jobs;
insert into app.unindexed_lead (organization_id, lead_id) select l.organization_id, l.id from app.lead as l;

set local role leads_owner;
alter table app.unindexed_lead enable row level security, force row level security;
reset role;

-- migration: lead_words
-- Adds the words by which leads are searched.
--
-- Locks: SHARE ROW EXCLUSIVE on app.lead for the foreign key; writes wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table app.lead_word (
  organization_id uuid not null,
  lead_id uuid not null,
  word text collate "C" not null,
  created_at timestamptz(3) not null,
  constraint lead_word_pkey primary key (organization_id, word, created_at, lead_id),
  constraint lead_word_belongs_to_lead
    foreign key (organization_id, lead_id) references app.lead (organization_id, id) on delete cascade
);
-- Small, because a lead is in it once for all of its words.
create index lead_word_by_lead on app.lead_word (organization_id, lead_id);

comment on table app.lead_word is
  'The words of each lead''s name, company and e-mail address (app.lead_words), in lower case. A worker stores them.';
comment on column app.lead_word.lead_id is 'The lead.';
comment on column app.lead_word.word is 'The word. The collation "C" makes a range of a prefix.';
comment on column app.lead_word.created_at is 'When the lead was created.';

alter table app.lead_word
  alter column organization_id set statistics 0,
  alter column lead_id set statistics 0,
  alter column word set statistics 0,
  alter column created_at set statistics 0;
alter table app.lead_word enable row level security, force row level security;

create domain api.search_text as text
  constraint search_text_has_1_to_100_characters check (char_length(value) between 1 and 100);
comment on domain api.search_text is 'Up to 5 words, with up to 100 characters.';

reset role;

-- migration: queued_leads
-- Puts the leads into the queue that were created while the release was installed, and that have no words.
--
-- Locks: none that matter.
-- Duration: 6.2 s per million rows of app.lead, if none has words yet.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.
-- backfill: admin.queue_leads (app.lead)

-- migration: bulk_leads
-- Adds the parameters and the response of POST /leads/bulk, and the type of a lead that was sent and not stored yet.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create domain api.duplicate_rule as text
  constraint duplicate_rule_is_known check (value in ('error', 'skip', 'update'));
comment on domain api.duplicate_rule is
  'What happens to a row whose lead exists. error: the row fails. skip: the lead stays as it is. update: the row changes it.';

create domain api.duplicate_key as text
  constraint duplicate_key_is_known check (value in ('reference', 'email', 'phone'));
comment on domain api.duplicate_key is 'The field by which a row finds the lead that exists.';

create type api.bulk_result as (
  "row" integer,
  status text,
  id uuid,
  errors json
);
comment on type api.bulk_result is 'What happened to a row of an upload.';
comment on column api.bulk_result."row" is 'The position of the row, from 1. The header of CSV and empty lines do not count.';
comment on column api.bulk_result.status is
  'created, updated or skipped: id is the lead. failed: errors says why. not_stored: the row is good, and nothing was stored '
  'because another row failed and atomic is true.';
comment on column api.bulk_result.id is
  'The lead; of a row that failed with the code duplicate, the lead that exists. Null if there is none.';
comment on column api.bulk_result.errors is 'Everything that is wrong with the row.';

create type api.bulk_answer as (
  is_stored boolean,
  created integer,
  updated integer,
  skipped integer,
  failed integer,
  not_stored integer,
  results api.bulk_result[]
);
comment on type api.bulk_answer is 'What happened to an upload.';
comment on column api.bulk_answer.is_stored is 'false: nothing was stored, because dry_run is true, or because atomic is true and a row failed.';
comment on column api.bulk_answer.created is 'The number of new leads.';
comment on column api.bulk_answer.updated is 'The number of rows that found a lead and were merged into it.';
comment on column api.bulk_answer.skipped is 'The number of rows whose lead existed and stayed as it is.';
comment on column api.bulk_answer.failed is 'The number of rows that failed.';
comment on column api.bulk_answer.not_stored is 'The number of good rows that were not stored, because another row failed and atomic is true.';
comment on column api.bulk_answer.results is 'A result for each row, in their order.';

create type app.sent_lead as (
  position integer,
  fields jsonb,
  lead app.lead_values,
  is_plain boolean,
  key text,
  created_at timestamptz(3),
  faults json
);
comment on type app.sent_lead is
  'A row of an upload, as app.sent_lead reads it: its position, its fields, the new lead that they make, whether they are '
  'stored as they are, the key by which it finds a lead, its own created_at, and what is wrong with it.';

reset role;

-- migration: push_of_bulk_leads
-- Lets a push be skipped because its lead came in bulk.
--
-- Locks: ACCESS EXCLUSIVE on crm.sync for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: the rows are checked in the next part.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table crm.sync
  -- A wider one follows.
  -- squawk-ignore ban-drop-constraint
  drop constraint sync_error_code_is_known,
  add constraint sync_error_code_is_known check (
    case status
      when 'failed' then error_code in ('rejected', 'outcome_unknown', 'gave_up')
      when 'skipped' then error_code in ('paused', 'incomplete', 'bulk')
      else error_code is null
    end
  ) not valid;
comment on column crm.sync.error_code is
  'rejected: the vendor refused it. outcome_unknown: a record may exist, and the vendor''s search cannot tell. gave_up: no '
  'answer in 24 hours and 20 attempts. paused: the connection was paused when the stage changed. incomplete: the lead '
  'lacked a field that the vendor needs. bulk: the lead came with a bulk upload or an import that did not ask for pushes.';

reset role;

-- migration: push_of_bulk_leads_check
-- Validates the reasons of skipped pushes.
--
-- Locks: SHARE UPDATE EXCLUSIVE on crm.sync while it is read; requests go on.
-- Duration: 0.3 s per million rows of crm.sync.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
alter table crm.sync validate constraint sync_error_code_is_known;
reset role;

-- migration: lead_imports
-- Adds the tables of leads import: the state of each import, and the rows of the batch that is being imported.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table admin.lead_import (
  organization_id uuid not null,
  file_digest bytea not null,
  rows_done integer not null default 0,
  created integer not null default 0,
  updated integer not null default 0,
  skipped integer not null default 0,
  failed integer not null default 0,
  is_complete boolean not null default false,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint lead_import_pkey primary key (organization_id, file_digest),
  constraint lead_import_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint lead_import_digest_has_32_bytes check (octet_length(file_digest) = 32),
  constraint lead_import_counts_each_row check (rows_done = created + updated + skipped + failed)
);
comment on table admin.lead_import is
  'The files that leads import has begun, so that it goes on after a crash and imports no file twice. No personal data.';
comment on column admin.lead_import.file_digest is 'SHA-256 of the file.';
comment on column admin.lead_import.rows_done is 'The number of rows from the beginning of the file whose batches are committed.';

create table admin.import_row (
  organization_id uuid not null,
  file_digest bytea not null,
  position integer not null,
  fields text not null,
  constraint import_row_pkey primary key (organization_id, file_digest, position)
);
comment on table admin.import_row is
  'The rows of a batch of leads import. They are deleted in the transaction that writes them, so none is ever committed.';
comment on column admin.import_row.position is 'The position of the row in the file, from 1.';
comment on column admin.import_row.fields is 'The row as JSON text.';

do $$
declare
  v_column record;
begin
  for v_column in
    select a.attrelid::regclass as "table", a.attname as name
    from pg_catalog.pg_attribute as a
    where a.attrelid in ('admin.lead_import'::regclass, 'admin.import_row'::regclass) and a.attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column."table", v_column.name);
  end loop;
end $$;

-- audit.erase_lead, audit.erase_organization
grant usage on schema admin to leads_eraser;
-- admin.import_line
grant execute on procedure app.drop_triggers(regclass) to leads_jobs;

alter table admin.lead_import enable row level security, force row level security;
alter table admin.import_row enable row level security, force row level security;

reset role;

-- migration: sync_by_failure
-- Builds an index of the pushes that have failed, so that they are counted without reading the table.
--
-- Locks: SHARE UPDATE EXCLUSIVE on crm.sync; requests go on.
-- Duration: 4.2 s per million rows of crm.sync, on a machine that other programs used too.
-- Phase: expand
-- If it breaks off: an invalid index may be left behind; run leads migrate again, which drops it first.
-- transactional: false
-- squawk-disable-assume-in-transaction

-- step
create index concurrently if not exists sync_by_failure on crm.sync (organization_id, begun_at) where status = 'failed';

-- migration: audit_retirement
-- Adds how long an organization keeps its audit log, and the table of the years that were retired from the log.
--
-- Locks: ACCESS EXCLUSIVE on app.organization for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row of the log is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table app.organization
  add column keep_audit_years integer,
  -- The table has a row for each organization.
  -- squawk-ignore constraint-missing-not-valid
  add constraint organization_keep_audit_years_within_7_and_100 check (keep_audit_years between 7 and 100),
  alter column keep_audit_years set statistics 0;
comment on column app.organization.keep_audit_years is
  'For how many years the events of the audit log are kept in the database. Null: as long as the operator keeps them.';
alter type app.organization_values add attribute keep_audit_years integer;

create table audit.retirement (
  year integer not null,
  archive_name text not null,
  archive_digest bytea not null,
  events bigint not null,
  retired_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  dropped_at timestamptz(3),
  constraint retirement_pkey primary key (year),
  constraint retirement_archive_digest_has_32_bytes check (octet_length(archive_digest) = 32),
  constraint retirement_archive_name_is_text_of_1_to_255 check (app.is_text(archive_name, 255))
);
comment on table audit.retirement is
  'The years that were retired from the audit log. Each has an archive. The events audit.retired, which are sealed, name the years of an organization.';
comment on column audit.retirement.year is 'The year in UTC.';
comment on column audit.retirement.archive_name is 'The name of the archive''s file, without its folder.';
comment on column audit.retirement.archive_digest is 'SHA-256 of the archive''s file. An erasure in the archive changes it.';
comment on column audit.retirement.events is 'The number of events, of all organizations.';
comment on column audit.retirement.dropped_at is 'When the detached tables were dropped. Null: they exist.';

reset role;

-- migration: organization_time_zone
-- Adds the time zone of each organization's days.
--
-- Locks: ACCESS EXCLUSIVE on app.organization for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: the default is kept in the catalogue.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table app.organization
  add column time_zone text not null default 'UTC',
  -- The table has a row for each organization.
  -- squawk-ignore constraint-missing-not-valid
  add constraint organization_time_zone_is_name check (time_zone ~ '^[A-Za-z0-9_+/-]{1,64}$'),
  alter column time_zone set statistics 0;
comment on column app.organization.time_zone is
  'The time zone of the days in the analysts'' views, by its name in pg_timezone_names, such as Europe/Berlin.';
alter type app.organization_values add attribute time_zone text;

reset role;

-- migration: stage_figures
-- Adds the tables of the leads' stays in stages, which the worker fills from the audit log.
--
-- Locks: SHARE ROW EXCLUSIVE on app.organization for some milliseconds, for a foreign key.
-- Duration: 0 s per million rows: no row is read. The worker then needs about a minute per million events of the log.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

-- The fillfactor leaves space for the end of a stay on the page of its beginning, so that no index changes.
create table app.stage_stay (
  organization_id uuid not null,
  lead_id uuid not null,
  position bigint not null,
  entered_at timestamptz(3) not null,
  left_at timestamptz(3),
  stage text collate "C" not null,
  next_stage text collate "C",
  constraint stage_stay_pkey primary key (organization_id, lead_id, position),
  constraint stage_stay_has_a_next_stage_after_its_end check (left_at is not null or next_stage is null)
) with (fillfactor = 90);
create index stage_stay_by_entered_at on app.stage_stay (organization_id, entered_at);

comment on table app.stage_stay is
  'The stays of leads in stages, from the audit log. The worker writes them. They stay when a lead is deleted or erased.';
comment on column app.stage_stay.lead_id is 'The lead. It may be gone.';
comment on column app.stage_stay.position is 'The position in the chain of seals of the event by which the lead entered the stage.';
comment on column app.stage_stay.entered_at is 'When the lead entered the stage.';
comment on column app.stage_stay.left_at is 'When it left the stage; null: it is in the stage.';
comment on column app.stage_stay.stage is 'The stage.';
comment on column app.stage_stay.next_stage is 'The next stage; null: the lead is in the stage, or was deleted or erased.';

create table app.stage_day (
  organization_id uuid not null,
  time_zone text not null,
  day date not null,
  stage text collate "C" not null,
  entered bigint not null,
  departed bigint not null,
  constraint stage_day_pkey primary key (organization_id, time_zone, day, stage)
);

comment on table app.stage_day is
  'How many leads entered and left each stage on each day, counted from app.stage_stay. The worker writes it.';
comment on column app.stage_day.time_zone is
  'The time zone of the day. After a change of the organization''s time zone, the days of both exist until all stays are counted.';
comment on column app.stage_day.day is 'The day. Without a row, no lead entered or left the stage.';
comment on column app.stage_day.stage is 'The stage.';
comment on column app.stage_day.entered is 'The number of stays that began on the day.';
comment on column app.stage_day.departed is 'The number of stays that ended on the day.';

create table app.stage_progress (
  organization_id uuid not null,
  position bigint not null default 0,
  counted_until timestamptz(3),
  time_zone text not null,
  next_time_zone text,
  next_lead_id uuid,
  constraint stage_progress_pkey primary key (organization_id),
  constraint stage_progress_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint stage_progress_names_the_lead_of_the_next_time_zone
    check ((next_time_zone is null) = (next_lead_id is null))
);

comment on table app.stage_progress is 'How much of an organization''s audit log is in app.stage_stay and app.stage_day.';
comment on column app.stage_progress.position is 'The position in the chain of seals of the last event that is counted.';
comment on column app.stage_progress.counted_until is 'The time of the newest event that is counted.';
comment on column app.stage_progress.time_zone is 'The time zone whose days are complete, and are shown.';
comment on column app.stage_progress.next_time_zone is
  'The time zone whose days are being counted, after a change of the organization''s time zone. Null: none.';
comment on column app.stage_progress.next_lead_id is 'The stays of the leads up to this one are counted in next_time_zone.';

create table app.uncounted_seal (
  organization_id uuid not null,
  position bigint not null,
  constraint uncounted_seal_pkey primary key (organization_id, position)
);

comment on table app.uncounted_seal is
  'The queue of admin.count_stages: the position of the last seal of each batch that is not counted yet.';
comment on column app.uncounted_seal.position is 'The position in the chain of seals.';

do $$
declare
  v_column record;
begin
  for v_column in
    select a.attrelid::regclass as of_table, a.attname as name
    from pg_catalog.pg_attribute as a
    where
      a.attrelid in (
        'app.stage_stay'::regclass, 'app.stage_day'::regclass, 'app.stage_progress'::regclass, 'app.uncounted_seal'::regclass
      )
      and a.attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column.of_table, v_column.name);
  end loop;
end $$;

alter table app.stage_stay enable row level security, force row level security;
alter table app.stage_day enable row level security, force row level security;
alter table app.stage_progress enable row level security, force row level security;
alter table app.uncounted_seal enable row level security, force row level security;
reset role;

-- migration: lead_stage_times
-- Adds to each lead when it was won, lost and first contacted.
--
-- Locks: ACCESS EXCLUSIVE on app.lead for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
alter table app.lead
  add column won_at timestamptz(3),
  add column lost_at timestamptz(3),
  add column first_contacted_at timestamptz(3),
  alter column won_at set statistics 0,
  alter column lost_at set statistics 0,
  alter column first_contacted_at set statistics 0;
comment on column app.lead.won_at is
  'When the lead entered the stage "won"; null if it is in another stage. For a lead that was created in this stage, the time '
  'of its creation. A trigger sets it. The API does not show it.';
comment on column app.lead.lost_at is 'As won_at, for the stage "lost".';
comment on column app.lead.first_contacted_at is
  'When the lead first entered a stage other than "new" and "lost": a lead that goes from "new" to "lost" was not contacted, and '
  'an organization can have other stages than "contacted". Null if it never did. As for won_at, a trigger sets it.';
alter type app.lead_values
  add attribute won_at timestamptz(3),
  add attribute lost_at timestamptz(3),
  add attribute first_contacted_at timestamptz(3);
reset role;

-- migration: fill_lead_stage_times
-- Sets these times of the leads that exist, from the audit log. The new release can be started before it has ended.
--
-- Locks: the rows of a batch, for about 0.1 s; a PATCH of one of them waits.
-- Duration: 220 s per million rows of app.lead that have left the first stage, of processor time; the other rows cost little.
--   Each of these rows is written once more, as by lead_items.
-- Phase: expand
-- If it breaks off: bi.leads shows null for the leads that are left; run leads migrate again.
-- backfill: admin.fill_lead_stage_times (app.lead)

-- migration: webhook_schema
-- Creates the schema of webhooks.
--
-- Locks: none that matter; the schema is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

create schema webhook authorization leads_owner;

set local role leads_owner;

comment on schema webhook is 'Webhooks: the events of the audit log, sent to addresses of the organization.';
grant usage on schema webhook to leads_exec, leads_jobs, leads_eraser, leads_worker;

reset role;

-- migration: webhooks
-- Creates the tables of webhooks, their deliveries, and the keys to which the API seals their secrets.
--
-- Locks: SHARE ROW EXCLUSIVE on app.organization for some milliseconds, for a foreign key.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table webhook.sealing_key (
  key_id text not null,
  public_key bytea not null,
  is_current boolean not null default false,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint sealing_key_pkey primary key (key_id),
  constraint sealing_key_id_is_text_of_1_to_64 check (app.is_text(key_id, 64)),
  constraint sealing_key_has_32_bytes check (octet_length(public_key) = 32)
);
create unique index sealing_key_by_current on webhook.sealing_key (is_current) where is_current;

comment on table webhook.sealing_key is
  'The public keys of the workers, which announce them. A secret that is sealed to one can be opened only by a worker that '
  'has the private key, which is derived from its key for credentials.';
comment on column webhook.sealing_key.key_id is 'The id of the worker''s key, as in crm.connection.credential_key.';
comment on column webhook.sealing_key.public_key is 'The public key (X25519).';
comment on column webhook.sealing_key.is_current is 'Whether new secrets are sealed to this key.';

-- The fillfactor leaves space for updates of the position and of the failures.
create table webhook.endpoint (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  name text,
  url text not null,
  actions text[],
  include text not null default 'ids',
  state text not null default 'enabled',
  disabled_reason text,
  disabled_at timestamptz(3),
  failing_since timestamptz(3),
  failures integer not null default 0,
  paused_until timestamptz(3),
  recovered_at timestamptz(3),
  position bigint not null,
  secret bytea not null,
  secret_key text not null,
  secret_is_bound boolean not null default false,
  previous_secret bytea,
  previous_secret_key text,
  previous_is_bound boolean not null default false,
  previous_expires_at timestamptz(3),
  created_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  updated_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  constraint endpoint_pkey primary key (organization_id, id),
  constraint endpoint_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint endpoint_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  constraint endpoint_url_is_http check (url ~* '^https?://' and char_length(url) <= 2000),
  constraint endpoint_has_actions check (cardinality(actions) between 1 and 100 and array_position(actions, null) is null),
  constraint endpoint_include_is_known check (include in ('ids', 'values')),
  constraint endpoint_state_is_known check (state in ('enabled', 'disabled')),
  constraint endpoint_disabled_reason_is_known check (disabled_reason in ('request', 'failing', 'gone')),
  constraint endpoint_says_why_it_is_disabled
    check ((state = 'disabled') = (disabled_reason is not null) and (state = 'disabled') = (disabled_at is not null)),
  constraint endpoint_fails_since_its_first_failure check ((failures > 0) = (failing_since is not null) and failures >= 0),
  constraint endpoint_previous_secret_expires
    check (num_nulls(previous_secret, previous_secret_key, previous_expires_at) in (0, 3))
) with (fillfactor = 70);

comment on table webhook.endpoint is
  'The webhooks of the API: addresses of an organization that receive its events. (The vendor "webhook" of a CRM connection '
  'is another thing: it receives each lead once.)';
comment on column webhook.endpoint.name is 'A name that says what the webhook is for.';
comment on column webhook.endpoint.url is 'The address. Its path or its query may be a secret: the audit log shows the host.';
comment on column webhook.endpoint.actions is 'The actions whose events are sent. Null: all.';
comment on column webhook.endpoint.include is
  'What a message has of an event. ids: the ids and the names of the changed fields; values: also their values.';
comment on column webhook.endpoint.state is
  'A disabled webhook keeps its position and its deliveries, and sends nothing.';
comment on column webhook.endpoint.disabled_reason is
  'request: a client or an operator disabled it; failing: no success for 3 days; gone: the receiver answered with 410.';
comment on column webhook.endpoint.failing_since is 'The first failure after the last success. Null: it does not fail.';
comment on column webhook.endpoint.failures is 'The number of failures since the last success.';
comment on column webhook.endpoint.paused_until is 'When the next attempt may be made, after several failures in a row.';
comment on column webhook.endpoint.recovered_at is 'When an attempt last succeeded after a pause, or the webhook was enabled.';
comment on column webhook.endpoint.position is 'The position in the chain of seals of the last event that has its delivery.';
comment on column webhook.endpoint.secret is 'The secret that signs messages, sealed to a key of the workers.';
comment on column webhook.endpoint.secret_key is 'The id of that key.';
comment on column webhook.endpoint.secret_is_bound is
  'Whether a worker has sealed it again, so that it can be opened only in this row.';
comment on column webhook.endpoint.previous_secret is 'The secret before the last rotation, which signs too until it expires.';
comment on column webhook.endpoint.previous_secret_key is 'The id of the key to which it is sealed.';
comment on column webhook.endpoint.previous_is_bound is 'Whether a worker has sealed it again, as in secret_is_bound.';
comment on column webhook.endpoint.previous_expires_at is 'When it expires.';
comment on column webhook.endpoint.created_at is 'When it was created. Events before are not sent.';
comment on column webhook.endpoint.updated_at is 'When a setting, the state or the secret last changed.';

-- Without a foreign key: the deletion of a webhook leaves its deliveries to the worker, which deletes them in batches.
create table webhook.delivery (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  endpoint_id uuid not null,
  event_id uuid,
  event_created_at timestamptz(3),
  position bigint,
  lead_id uuid,
  action text not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  begun_at timestamptz(3),
  next_attempt_at timestamptz(3),
  leased_until timestamptz(3),
  last_attempt_at timestamptz(3),
  http_status integer,
  message text,
  created_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  ended_at timestamptz(3),
  constraint delivery_pkey primary key (organization_id, id),
  constraint delivery_is_the_only_one_of_an_event unique (organization_id, endpoint_id, position),
  constraint delivery_without_an_event_is_a_test
    check (num_nulls(event_id, event_created_at, position) in (0, 3)),
  constraint delivery_state_is_known check (state in ('pending', 'delivered', 'failed', 'skipped', 'simulated')),
  constraint delivery_has_a_next_attempt_only_while_it_is_pending check (next_attempt_at is null or state = 'pending'),
  constraint delivery_ends_when_it_is_not_pending check ((state = 'pending') = (ended_at is null)),
  constraint delivery_is_due_again_when_its_lease_ends check (leased_until is null or leased_until = next_attempt_at),
  constraint delivery_counts_attempts check (attempts >= 0),
  constraint delivery_http_status_within_100_and_599 check (http_status between 100 and 599),
  constraint delivery_message_is_text_of_1_to_500 check (app.is_text(message, 500))
);
-- The deliveries of a webhook in the order of the API's list, for each state.
create index delivery_by_state on webhook.delivery (organization_id, endpoint_id, state, created_at desc, id desc);
-- Only the first delivery of each lead is in it, so that a lease reads no other.
create index delivery_by_next_attempt_at on webhook.delivery (organization_id, endpoint_id, next_attempt_at)
where next_attempt_at is not null;
create index delivery_by_leased_until on webhook.delivery (organization_id, endpoint_id, leased_until)
where leased_until is not null;
create index delivery_by_lead_id on webhook.delivery (organization_id, endpoint_id, lead_id, position)
where state = 'pending';
create index delivery_by_ended_at on webhook.delivery (organization_id, ended_at) where ended_at is not null;

comment on table webhook.delivery is
  'What is sent to webhooks: one row for each event and webhook. It has no value of a person. The worker deletes it 30 days '
  'after its end, and those of a webhook that was deleted.';
comment on column webhook.delivery.endpoint_id is 'The webhook. It may be gone.';
comment on column webhook.delivery.event_id is 'The event. Null: a test.';
comment on column webhook.delivery.event_created_at is 'The time of the event, which names its partition.';
comment on column webhook.delivery.position is 'The position of the event in the chain of seals: the order of the deliveries.';
comment on column webhook.delivery.lead_id is 'The lead of the event. It may be gone.';
comment on column webhook.delivery.action is 'The action of the event.';
comment on column webhook.delivery.state is
  'pending: not delivered yet; delivered; failed: given up; skipped: left out by a client or an operator; simulated: of a '
  'test organization, which sends nothing.';
comment on column webhook.delivery.attempts is 'The number of attempts. The fencing token of a lease.';
comment on column webhook.delivery.begun_at is
  'The first attempt since the delivery was created, or since a redelivery was requested.';
comment on column webhook.delivery.next_attempt_at is
  'When the next attempt is due, or when the lease ends. Null: it has ended, or an earlier delivery of the same lead waits.';
comment on column webhook.delivery.leased_until is 'Until when a worker has the delivery. Null: no worker has it.';
comment on column webhook.delivery.last_attempt_at is 'When the last attempt began.';
comment on column webhook.delivery.http_status is 'The status of the last response.';
comment on column webhook.delivery.message is 'Why the last attempt failed. It has no value of a person.';
comment on column webhook.delivery.ended_at is 'When it was delivered, given up, skipped or simulated.';

-- Without foreign keys: the row is kept when the webhook is deleted, until the lead is erased.
create table webhook.recipient (
  organization_id uuid not null,
  lead_id uuid not null,
  endpoint_id uuid not null,
  host text not null,
  first_at timestamptz(3) not null,
  last_at timestamptz(3) not null,
  constraint recipient_pkey primary key (organization_id, lead_id, endpoint_id),
  constraint recipient_host_is_text_of_1_to_255 check (app.is_text(host, 255))
);

comment on table webhook.recipient is
  'Which webhooks received values of which leads. An erasure lists them, and then deletes the rows.';
comment on column webhook.recipient.lead_id is 'The lead.';
comment on column webhook.recipient.endpoint_id is 'The webhook. It may be gone.';
comment on column webhook.recipient.host is 'The host of its address at the last attempt.';
comment on column webhook.recipient.first_at is 'The first attempt.';
comment on column webhook.recipient.last_at is 'The last attempt.';

create table webhook.unqueued_batch (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  constraint unqueued_batch_pkey primary key (organization_id, id)
);

comment on table webhook.unqueued_batch is
  'The queue of webhook.queue_deliveries: a row for each batch of new seals, and for each webhook that was created or enabled.';

do $$
declare
  v_column record;
begin
  for v_column in
    select a.attrelid::regclass as of_table, a.attname as name
    from pg_catalog.pg_attribute as a
    where
      a.attrelid in (
        'webhook.endpoint'::regclass, 'webhook.delivery'::regclass, 'webhook.recipient'::regclass,
        'webhook.unqueued_batch'::regclass
      )
      and a.attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column.of_table, v_column.name);
  end loop;
end $$;

alter table webhook.endpoint enable row level security, force row level security;
alter table webhook.delivery enable row level security, force row level security;
alter table webhook.recipient enable row level security, force row level security;
alter table webhook.unqueued_batch enable row level security, force row level security;

reset role;

-- migration: key_use
-- Creates the table of when each API key was last used.
--
-- Locks: SHARE ROW EXCLUSIVE on auth.api_key for some milliseconds, for the foreign key.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema auth to leads_auth;
set local role leads_auth;

-- A table of its own, because the changes of auth.api_key are audited. Each server process changes a row up to once a
-- minute; the fillfactor leaves space for that on the row's page, so that no index changes.
create table auth.key_use (
  organization_id uuid not null,
  key_id uuid not null,
  last_used_at timestamptz(3) not null,
  constraint key_use_pkey primary key (organization_id, key_id),
  constraint key_use_is_of_api_key foreign key (organization_id, key_id) references auth.api_key
) with (fillfactor = 50);

comment on table auth.key_use is 'When each API key was last used. A server process adds its part once a minute.';
comment on column auth.key_use.key_id is 'The key.';
comment on column auth.key_use.last_used_at is 'When the last request began that was accepted with the key.';

alter table auth.key_use
  alter column organization_id set statistics 0,
  alter column key_id set statistics 0,
  alter column last_used_at set statistics 0;
alter table auth.key_use enable row level security, force row level security;

set local role leads_owner;
revoke create on schema auth from leads_auth;
reset role;

-- migration: secret_answers
-- Adds the id of the object whose secret an answer showed, in place of that answer.
--
-- Locks: ACCESS EXCLUSIVE on app.idempotency_key for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
alter table app.idempotency_key
  add column object_id uuid,
  alter column object_id set statistics 0;
comment on column app.idempotency_key.object_id is
  'The id of the object whose secret the answer showed. Such an answer is not kept: headers and body are null.';
reset role;

-- migration: webhook_types
-- Adds the types of webhooks in the API.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create type api.webhook as (
  id uuid,
  organization_id uuid,
  name text,
  url text,
  actions text[],
  include text,
  state text,
  disabled_reason text,
  disabled_at api.utc_time,
  failing_since api.utc_time,
  secret text,
  previous_secret_expires_at api.utc_time,
  created_at api.utc_time,
  updated_at api.utc_time
);
comment on type api.webhook is 'A webhook: an address that receives the events of the organization.';
comment on column api.webhook.id is 'The webhook''s id.';
comment on column api.webhook.organization_id is 'The organization''s id.';
comment on column api.webhook.url is 'The address.';
comment on column api.webhook.disabled_at is 'When it was disabled; null if it is enabled.';
comment on column api.webhook.failing_since is 'The first failure after the last success; null if it does not fail.';
comment on column api.webhook.secret is
  'The secret that signs the messages. Only the response that creates the webhook or rotates the secret has it; otherwise it '
  'is null.';
comment on column api.webhook.previous_secret_expires_at is
  'Until when the secret before the last rotation signs, too; null if there is none.';
comment on column api.webhook.created_at is 'When the webhook was created. Events before are not sent.';
comment on column api.webhook.updated_at is 'When a setting, the state or the secret last changed.';

create type api.new_webhook_input as (
  url text,
  name text,
  actions text[],
  include text
);
comment on type api.new_webhook_input is 'A new webhook. Only the url is required.';

create type api.webhook_input as (
  url text,
  name text,
  actions text[],
  include text,
  state text,
  skip_missed boolean
);
comment on type api.webhook_input is 'Changes of a webhook: each member is optional.';
comment on column api.webhook_input.skip_missed is
  'Leave out what has not been delivered yet. Without it, a webhook that is enabled again gets everything that it missed.';

reset role;

-- migration: route_deprecation
-- Adds to each route since when it is deprecated, and until when it is served.
--
-- Locks: ACCESS EXCLUSIVE on api.route for a catalogue change; servers read it at start only.
-- Duration: 0 s per million rows: the table has a row for each endpoint.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

alter table api.route
  add column deprecated_at timestamptz(3),
  add column sunset_at timestamptz(3),
  add column deprecation_link text,
  -- The table has a row for each endpoint.
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_is_deprecated_before_its_sunset check (sunset_at is null or coalesce(deprecated_at <= sunset_at, false)),
  -- squawk-ignore constraint-missing-not-valid
  add constraint route_deprecation_link_is_address check (deprecation_link ~ '^(https?:/)?/[!-;=?-~]*$');

comment on column api.route.deprecated_at is
  'Since when the route is deprecated, or from when on it will be. Responses have it in the header Deprecation. Null: it is not.';
comment on column api.route.sunset_at is
  'From when on the route may be missing. Responses have it in the header Sunset. Null: that is not decided.';
comment on column api.route.deprecation_link is 'The address of a page that says what replaces the route, for the header Link.';

reset role;

-- migration: import_correlation_id
-- Says what the correlation_id of an event is if leads import has written it.
--
-- Locks: none that matter; only comments change.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

comment on column audit.event.correlation_id is
  'The X-Request-Id of the request that made the change, or "import:" and the beginning of the SHA-256 of the file that leads '
  'import has read; otherwise null.';
comment on column api.audit_event.correlation_id is
  'The `X-Request-Id` of the request that made the change, or `import:` and the beginning of the SHA-256 of an imported file; '
  'otherwise null.';

reset role;

-- migration: webhook_recipients
-- Adds the webhooks that received values of a lead to the responses of DELETE /leads/{id} and GET /leads/{id}/everything.
--
-- Locks: none that matter; types of responses change.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create type api.webhook_recipient as (
  id uuid,
  host text,
  first_at api.utc_time,
  last_at api.utc_time
);
comment on type api.webhook_recipient is 'A webhook that received values of a lead.';
comment on column api.webhook_recipient.id is 'The id of the webhook. It may have been deleted since.';
comment on column api.webhook_recipient.host is 'The host of its address.';
comment on column api.webhook_recipient.first_at is 'When values were first sent to it.';
comment on column api.webhook_recipient.last_at is 'When values were last sent to it.';

alter type api.lead_erasure add attribute webhooks api.webhook_recipient[];
comment on column api.lead_erasure.webhooks is
  'The webhooks that received values of the lead. What receives their messages must erase them, too.';
alter type api.lead_everything add attribute webhooks api.webhook_recipient[];
comment on column api.lead_everything.webhooks is 'The webhooks that received values of the lead.';

reset role;

-- migration: keys_of_the_api
-- Adds the types of API keys in requests and responses.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create type api.key as (
  id uuid,
  organization_id uuid,
  name text,
  scope text,
  environment text,
  state text,
  key text,
  created_at api.utc_time,
  expires_at api.utc_time,
  revoked_at api.utc_time,
  rotated_from uuid,
  last_used_at api.utc_time
);
comment on type api.key is 'An API key.';
comment on column api.key.id is 'The key''s id.';
comment on column api.key.organization_id is 'The organization''s id.';
comment on column api.key.name is 'What the key is for.';
comment on column api.key.scope is 'The highest scope: write includes read, and admin includes both.';
comment on column api.key.environment is 'live, or test: a test organization sends nothing to other services.';
comment on column api.key.state is 'active, revoked or expired.';
comment on column api.key.key is 'The key itself. Only the response that creates the key has it; otherwise it is null.';
comment on column api.key.created_at is 'When the key was created.';
comment on column api.key.expires_at is 'The key is refused from this time on; null: it does not expire.';
comment on column api.key.revoked_at is 'When the key was revoked; null: it is not.';
comment on column api.key.rotated_from is 'The id of the key that this key replaces.';
comment on column api.key.last_used_at is 'When the last request with the key began, with a delay of up to a minute; null: there was none.';

create type api.key_input as (
  name text,
  scope text,
  expires_at text
);
comment on type api.key_input is 'A new API key.';
comment on column api.key_input.name is 'What the key is for: a text of 1 to 255 characters.';
comment on column api.key_input.scope is 'The highest scope: write includes read, and admin includes both.';
comment on column api.key_input.expires_at is 'The key is refused from this time on; null: it does not expire.';

create type api.rotation_input as (
  overlap_hours integer
);
comment on type api.rotation_input is 'How a key or a secret is rotated.';
comment on column api.rotation_input.overlap_hours is
  'For how many hours the old key or secret stays valid, at most 168. 0: it ends at once.';

reset role;

-- migration: webhook_deliveries
-- Adds the type of a delivery in the API.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create domain api.delivery_state as text
  constraint delivery_state_is_known check (value in ('pending', 'delivered', 'failed', 'skipped', 'simulated'));
comment on domain api.delivery_state is 'Only deliveries in this state.';

create type api.webhook_delivery as (
  id uuid,
  webhook_id uuid,
  event_id uuid,
  action text,
  lead_id uuid,
  position bigint,
  state text,
  attempts integer,
  http_status integer,
  message text,
  next_attempt_at api.utc_time,
  last_attempt_at api.utc_time,
  created_at api.utc_time,
  ended_at api.utc_time
);
comment on type api.webhook_delivery is 'What is sent to a webhook about one event, or as a test.';
comment on column api.webhook_delivery.id is 'The delivery''s id. The message has the id msg_ and this.';
comment on column api.webhook_delivery.webhook_id is 'The webhook''s id.';
comment on column api.webhook_delivery.event_id is 'The event of the audit log; null: a test.';
comment on column api.webhook_delivery.action is 'The action of the event, or webhook.test.';
comment on column api.webhook_delivery.lead_id is 'The lead that the event is about; null: it is about no lead.';
comment on column api.webhook_delivery.position is
  'The position of the event in the audit log: the order of the deliveries. Null: a test.';
comment on column api.webhook_delivery.next_attempt_at is
  'When the next attempt is due; null: it has ended, or an earlier delivery of the same lead waits.';
comment on column api.webhook_delivery.last_attempt_at is 'When the last attempt began; null: there was none.';
comment on column api.webhook_delivery.created_at is 'When the delivery was queued.';
comment on column api.webhook_delivery.ended_at is 'When it ended; null: it is pending.';

reset role;

-- migration: seal_events_of_one_organization
-- Drops a function whose successor has another parameter.
--
-- Locks: none that matter. Until the new function is there, a moment later, a worker can't seal, and tries again.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_jobs;
-- squawk-ignore ban-drop-function
drop function if exists admin.seal_events(uuid, integer);
reset role;

-- migration: placement
-- Creates the table of the organizations that are moved between cells, adds the fence to each key, and lets leads_owner create a
-- publication.
--
-- Locks: ACCESS EXCLUSIVE on auth.api_key for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: the default is kept in the catalogue.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

do $$ begin execute format('grant create on database %I to leads_owner', current_database()); end $$;

set local role leads_owner;

-- Without a foreign key: an organization that arrives has its row here before any other.
create table app.placement (
  organization_id uuid not null,
  state text not null,
  cell text not null,
  since timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  changed_in xid8,
  waits_for text[],
  handed_over_at timestamptz(3),
  is_fenced boolean not null generated always as (state in ('moving', 'moved', 'arriving')) stored,
  constraint placement_pkey primary key (organization_id),
  constraint placement_state_is_known check (state in ('copying', 'draining', 'moving', 'moved', 'arriving')),
  constraint placement_cell_is_name check (cell ~ '^[a-z][a-z0-9_]{0,30}$')
);

comment on table app.placement is
  'The organizations that move from one cell to another. An organization without a row here belongs to this cell.';
comment on column app.placement.state is
  'copying: its rows are copied to the other cell, and this cell still does everything. draining: as copying, but no push and no '
  'delivery begins. moving: fenced; this cell does nothing more for it. moved: the other cell has it; the rows here are left over. '
  'arriving: its rows come from the other cell, which still has it.';
comment on column app.placement.cell is 'The other cell.';
comment on column app.placement.since is 'When the state began.';
comment on column app.placement.changed_in is
  'The transaction in which rows come or go with the move. What it changes is no change of the organization, and is not recorded.';
comment on column app.placement.waits_for is
  'moving: the transactions that may have begun before the fence and that had not ended at the last look. Null: nobody looked yet.';
comment on column app.placement.handed_over_at is
  'moving: when admin.owned_rows first returned rows. From then on, the other cell may have taken over.';
comment on column app.placement.is_fenced is
  'Whether this cell answers, seals, counts, sends and deletes nothing for the organization, because another one has it, or will have it '
  'in a moment. Every function that works for several organizations leaves it out.';

alter table app.placement
  alter column organization_id set statistics 0,
  alter column state set statistics 0,
  alter column cell set statistics 0,
  alter column since set statistics 0,
  alter column changed_in set statistics 0,
  alter column waits_for set statistics 0,
  alter column handed_over_at set statistics 0,
  alter column is_fenced set statistics 0;
alter table app.placement enable row level security, force row level security;

set local role leads_auth;

-- In the row that each request reads anyway.
alter table auth.api_key
  add column is_fenced boolean not null default false,
  add column is_draining boolean not null default false,
  alter column is_fenced set statistics 0,
  alter column is_draining set statistics 0;
comment on column auth.api_key.is_fenced is
  'Whether the organization is fenced, because it moves to another cell: each request with the key gets 503.';
comment on column auth.api_key.is_draining is
  'Whether the organization will be fenced in a moment, or is: replicas, which learn of the fence later, refuse the key already.';

reset role;

-- migration: cells
-- Creates the tables of a cell: its name, and the keys that the router does not know yet.
--
-- Locks: SHARE ROW EXCLUSIVE on auth.api_key for some milliseconds, for the foreign key.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema auth to leads_auth;
set local role leads_auth;

create table auth.cell (
  is_only boolean not null default true,
  name text not null,
  constraint cell_pkey primary key (is_only),
  constraint cell_is_the_only_one check (is_only),
  constraint cell_name_is_a_name check (name ~ '^[a-z][a-z0-9_]{0,30}$')
);

comment on table auth.cell is 'The name of the cell that this database is. Without a row it is no cell, and stands alone.';
comment on column auth.cell.is_only is 'Always true: the table has one row at most.';
comment on column auth.cell.name is 'The name in the directory of the cells.';

create table auth.unannounced_key (
  organization_id uuid not null,
  key_id uuid not null,
  constraint unannounced_key_pkey primary key (organization_id, key_id),
  constraint unannounced_key_is_of_api_key foreign key (organization_id, key_id) references auth.api_key on delete cascade
);

comment on table auth.unannounced_key is
  'The new keys of a cell that the router does not know yet. A database that is no cell has none.';
comment on column auth.unannounced_key.key_id is 'The key.';

alter table auth.unannounced_key
  alter column organization_id set statistics 0,
  alter column key_id set statistics 0;
alter table auth.unannounced_key enable row level security, force row level security;

set local role leads_owner;
revoke create on schema auth from leads_auth;
reset role;

-- migration: position_keys
-- Creates the keys of the header Leads-Position, and lets leads_auth read the positions of the write-ahead log.
--
-- Locks: none that matter; every object is new.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

do $$
declare
  v_name text;
begin
  -- Where app/superuser.sql has taken them from PUBLIC, it has also let the migrating login grant them.
  foreach v_name in array array['pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_last_wal_replay_lsn']
  loop
    if has_function_privilege(format('pg_catalog.%I()', v_name), 'execute with grant option') then
      execute format('grant execute on function pg_catalog.%I() to leads_auth', v_name);
    end if;
  end loop;
end $$;

set local role leads_owner;
grant create on schema auth to leads_auth;
set local role leads_auth;

create table auth.position_key (
  id bytea not null,
  system_identifier bigint not null,
  timeline text not null,
  inner_key bytea not null,
  outer_key bytea not null,
  created_at timestamptz(3) not null default now(),
  constraint position_key_pkey primary key (id),
  constraint position_key_is_of_one_timeline unique (system_identifier, timeline),
  constraint position_key_has_an_id check (octet_length(id) = 8),
  constraint position_key_fills_a_block check (octet_length(inner_key) = 64 and octet_length(outer_key) = 64)
);

comment on table auth.position_key is
  'The keys that encrypt and authenticate the header Leads-Position: one for each timeline of each cluster in which a '
  'position was returned.';
comment on column auth.position_key.id is 'The first bytes of each position: random.';
comment on column auth.position_key.system_identifier is 'The identifier of the cluster.';
comment on column auth.position_key.timeline is 'The timeline, as in the name of a file of the write-ahead log.';
comment on column auth.position_key.inner_key is 'The block that the inner hash of the HMAC begins with: random.';
comment on column auth.position_key.outer_key is 'The block that the outer hash of the HMAC begins with: random.';
comment on column auth.position_key.created_at is 'When the first position of the timeline was returned.';

set local role leads_owner;
revoke create on schema auth from leads_auth;
reset role;
