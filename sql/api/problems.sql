-- api.problems - the response for each error. The server reads it with the routes.
set local role leads_exec;

create or replace function api.problems()
returns table (
  raised_by text,
  status integer,
  code text,
  title text,
  detail text,
  field text,
  field_code text
)
language sql stable security definer
begin atomic
  select p.raised_by, p.status, p.code, p.title, p.detail, p.field, p.field_code
  from api.problem as p
  union all
  -- A value that app.lead_faults does not find and a constraint refuses gets the same error.
  select
    c.conname,
    422,
    'validation_failed',
    'Validation failed',
    app.lead_field_rule(f.kind, f.max_length, f.is_nullable),
    f.name,
    case f.kind
      when 'text' then 'too_long'
      when 'score' then 'out_of_range'
      when 'stage' then 'unknown_stage'
      else 'invalid_' || f.kind
    end
  from app.lead_field as f
  join pg_catalog.pg_attribute as a on a.attrelid = 'app.lead'::regclass and a.attname = f.name
  join pg_catalog.pg_constraint as c on c.conrelid = a.attrelid and (
    (c.contype = 'c' and c.conkey = array[a.attnum]) or (c.contype = 'f' and a.attnum = any (c.conkey))
  )
  order by 1;
end;

comment on function api.problems() is
$$The rows of api.problem, and one row for each constraint on a field of a lead.$$;

grant execute on function api.problems() to leads_api;
