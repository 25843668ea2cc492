-- auth.key_faults - the faults of a request for a new API key.
set local role leads_auth;

create or replace function auth.key_faults(fields jsonb)
returns json language sql stable security invoker
begin atomic
  with field as (
    -- Text is taken from a string only: from a number, it can have 131,072 digits.
    select
      f.key, jsonb_typeof(f.value) as type, case when jsonb_typeof(f.value) = 'string' then f.value #>> '{}' end as text
    from jsonb_each(jsonb_build_object('scope', null) || key_faults.fields) as f (key, value)
  ),
  fault (field, code, detail) as (
    select f.key, 'unknown_field', 'A key has no such field. Leave it out.'
    from field as f
    where f.key not in ('name', 'scope', 'expires_at')
    union all
    select f.key, 'wrong_type', 'This must be a text.'
    from field as f
    where f.key in ('name', 'expires_at') and f.type not in ('string', 'null')
    union all
    select f.key, 'unknown_scope', 'This must be read, write or admin. write includes read, and admin includes both.'
    from field as f
    where f.key = 'scope' and (f.type <> 'string' or f.text not in ('read', 'write', 'admin'))
    union all
    select f.key, 'invalid_text', 'This must have 1 to 255 characters, and no control characters.'
    from field as f
    where
      f.key = 'name' and f.type = 'string'
      and (app.is_text(app.clean_text(f.text), 255) is not true or app.control_character(app.clean_text(f.text)) is not null)
    union all
    select f.key, 'invalid_timestamp', 'This must be a date such as 2026-12-31, or a time with Z or an offset.'
    from field as f
    where f.key = 'expires_at' and f.type = 'string' and app.read_instant(f.text) is null
    union all
    select f.key, 'in_the_past', 'This must be in the future. Leave it out for a key that does not expire.'
    from field as f
    where f.key = 'expires_at' and f.type = 'string' and app.read_instant(f.text) <= now()
  )
  select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail) order by f.field)
  from fault as f;
end;

comment on function auth.key_faults(jsonb) is 'The faults as {field, code, detail}; null: there are none.';

grant execute on function auth.key_faults(jsonb) to leads_exec;
