-- intake.form_faults - the faults of the settings of a form.
set local role leads_owner;

create or replace function intake.form_faults(organization_id uuid, settings jsonb)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := form_faults.settings;
begin
  return (
    with setting as (
      -- Text is taken from a string only: from a number, it can have 131,072 digits.
      select
        s.key, s.value, jsonb_typeof(s.value) as type,
        case when jsonb_typeof(s.value) = 'string' then s.value #>> '{}' end as text
      from jsonb_each(v_settings) as s (key, value)
      where s.value <> 'null'
    ),
    target as (
      select
        'mapping' as field, m.key,
        case when jsonb_typeof(m.value) = 'string' then m.value #>> '{}' end as target,
        jsonb_typeof(m.value) as type
      from jsonb_each(case jsonb_typeof(v_settings -> 'mapping') when 'object' then v_settings -> 'mapping' else '{}' end)
        as m (key, value)
      union all
      select 'constants', c.key, c.key, 'string'
      from jsonb_each(case jsonb_typeof(v_settings -> 'constants') when 'object' then v_settings -> 'constants' else '{}' end)
        as c (key, value)
    ),
    constants (fields) as (
      select
        coalesce(jsonb_object_agg(c.key, c.value) filter (where c.key not like 'details.%'), '{}')
        || jsonb_build_object('details', coalesce(
          jsonb_object_agg(substr(c.key, 9), c.value) filter (where c.key like 'details.%'), '{}'
        ))
      from jsonb_each(case jsonb_typeof(v_settings -> 'constants') when 'object' then v_settings -> 'constants' else '{}' end)
        as c (key, value)
    ),
    fault (field, code, detail) as (
      select s.key, 'unknown_field', 'A form has no such setting. Leave it out.'
      from setting as s
      where s.key not in (
        'name', 'preset', 'source', 'mapping', 'constants', 'origins', 'honeypot', 'redirect_url', 'on_duplicate',
        'duplicate_hours', 'requests_per_minute', 'secret'
      )
      union all
      select s.key, 'wrong_type', 'This must be a text.'
      from setting as s
      where
        s.key in ('name', 'preset', 'source', 'honeypot', 'redirect_url', 'on_duplicate', 'secret') and s.type <> 'string'
      union all
      select s.key, 'invalid_text', 'This must have 1 to 255 characters, and no control characters.'
      from setting as s
      where s.key in ('name', 'secret') and s.type = 'string'
        and (app.is_text(app.clean_text(s.text), 255) is not true or app.control_character(s.text) is not null)
      union all
      select s.key, 'unknown_preset', format(
        'This must be one of %s.', (select string_agg(p.name, ', ' order by p.name) from intake.preset as p)
      )
      from setting as s
      where s.key = 'preset' and s.type = 'string' and not exists (select from intake.preset as p where p.name = s.text)
      union all
      select s.key, 'no_signature', 'A sender of this form does not sign. Leave the secret out, or choose a preset that signs.'
      from setting as s
      where
        s.key = 'secret'
        and not exists (
          select from intake.preset as p
          join setting as n on n.key = 'preset' and n.text = p.name
          where p.signature is not null
        )
      union all
      select s.key, 'invalid_name', 'This must be a name of 1 to 64 characters out of a-z, 0-9, _ and -, such as website.'
      from setting as s
      where s.key = 'source' and s.type = 'string' and not app.is_name(s.text)
      union all
      select s.key, 'invalid_text', 'This must be the name of a field, with 1 to 64 characters.'
      from setting as s
      where s.key = 'honeypot' and s.type = 'string' and app.is_text(s.text, 64) is not true
      union all
      select s.key, 'invalid_url', 'This must be a URL with http or https, of at most 2,000 characters.'
      from setting as s
      where
        s.key = 'redirect_url' and s.type = 'string'
        and not (s.text ~ '^https?://[^[:space:][:cntrl:]]+$' and char_length(s.text) <= 2000)
      union all
      select s.key, 'unknown_value', 'This must be create, skip or fill.'
      from setting as s
      where s.key = 'on_duplicate' and s.type = 'string' and s.text not in ('create', 'skip', 'fill')
      union all
      select s.key, 'out_of_range', case s.key
        when 'duplicate_hours' then 'This must be a whole number from 1 to 8760.'
        else 'This must be a whole number from 1 to 6000.'
      end
      from setting as s
      where
        s.key in ('duplicate_hours', 'requests_per_minute')
        and not case when s.type = 'number' then
          s.value::numeric between 1 and case s.key when 'duplicate_hours' then 8760 else 6000 end and s.value::numeric % 1 = 0
        else false end
      union all
      select s.key, 'wrong_type', 'This must be an array of up to 20 origins, such as https://www.example.com.'
      from setting as s
      where
        s.key = 'origins'
        and not case when s.type = 'array' then
          jsonb_array_length(s.value) <= 20
          and not s.value @? 'strict $[*] ? (@.type() != "string")'
          and not exists (
            select from jsonb_array_elements_text(case s.type when 'array' then s.value else '[]' end) as o (origin)
            where o.origin !~ '^https?://[a-z0-9.-]+(:[0-9]{1,5})?$'
          )
        else false end
      union all
      select s.key, 'wrong_type', 'This must be an object with at most 200 members and 16 KiB.'
      from setting as s
      where
        s.key in ('mapping', 'constants')
        and not case when s.type = 'object' then
          (select count(*) from jsonb_object_keys(s.value)) <= 200 and pg_column_size(s.value) <= 16384
        else false end
      union all
      select
        t.field || '.' || t.key, 'unknown_target',
        'This must be a field of a lead, details.NAME' || case t.field when 'mapping' then ', signals.NAME, auto or ignore.' else '.' end
      from target as t
      where
        t.type <> 'string'
        or not (
          t.target ~ '^details\.[a-z][a-z0-9_]{0,63}$'
          or (t.target !~ '^(lead_score|ai_reasoning|details)$' and exists (select from app.lead_field as f where f.name = t.target))
          or (
            t.field = 'mapping'
            and (t.target in ('ignore', 'auto', 'first_name', 'last_name') or (t.target ~ '^signals\.' and app.is_name(substr(t.target, 9))))
          )
        )
      union all
      select 'constants.' || (f.fault ->> 'field'), f.fault ->> 'code', f.fault ->> 'detail'
      from constants as c
      cross join lateral json_array_elements(app.lead_faults(form_faults.organization_id, c.fields)) as f (fault)
      where f.fault ->> 'code' not in ('unknown_field', 'read_only_field')
    )
    select json_agg(json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail) order by f.field, f.code)
    from fault as f
  );
end $$;

comment on function intake.form_faults(uuid, jsonb) is
  'The faults of the settings of a form, a JSON object (api.form_input). Returns a JSON array of {field, code, detail}, or null.';

grant execute on function intake.form_faults(uuid, jsonb) to leads_exec, leads_jobs;
