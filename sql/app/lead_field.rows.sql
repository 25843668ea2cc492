-- app.lead_field - the fields of a lead that a client may send.
set local role leads_owner;
delete from app.lead_field;

-- The kind and the limit are read from the column's CHECK and from the functions that it calls.
-- app.plain_lead repeats the limits, and its test compares them.
insert into app.lead_field (name, kind, max_length, is_nullable, is_detail)
select
  a.attname,
  k.kind,
  case k.kind
    when 'text' then (regexp_match(c.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1]::integer
    when 'email' then (regexp_match(c.is_email, 'char_length\(value\) <= ([0-9]+)'))[1]::integer
    when 'name' then (regexp_match(c.is_name, 'octet_length\(value\) <= ([0-9]+)'))[1]::integer
    when 'phone' then (regexp_match(c.is_phone, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1]::integer
  end,
  not a.attnotnull,
  a.attname in ('phone', 'reference', 'details')
from unnest(array[
  'name',
  'company',
  'email',
  'source',
  'lead_score',
  'pipeline_stage',
  'industry',
  'company_size',
  'pain_points',
  'timeline',
  'budget_range',
  'ai_reasoning',
  'phone',
  'reference',
  'details'
]) as f (name)
join pg_catalog.pg_attribute as a on a.attrelid = 'app.lead'::regclass and a.attname = f.name
cross join lateral (
  select
    string_agg(pg_get_constraintdef(k.oid), ' ') as checks,
    (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_email(text)'::regprocedure) as is_email,
    (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_name(text)'::regprocedure) as is_name,
    (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_phone(text)'::regprocedure) as is_phone
  from pg_catalog.pg_constraint as k
  where k.conrelid = a.attrelid and k.contype = 'c' and k.conkey = array[a.attnum]
) as c
cross join lateral (
  select case
    when a.attname = 'lead_score' then 'score'
    when a.attname = 'pipeline_stage' then 'stage'
    when c.checks ~ 'app\.is_email\(' then 'email'
    when c.checks ~ 'app\.is_name\(' then 'name'
    when c.checks ~ 'app\.is_text\(' then 'text'
    when c.checks ~ 'app\.is_phone\(' then 'phone'
    when c.checks ~ 'app\.is_details\(' then 'details'
  end as kind
) as k;
