-- app.lead_faults - the faults of the fields that a client sends for a lead.
set local role leads_owner;

create or replace function app.lead_faults(organization_id uuid, fields jsonb)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with field as (
      select
        s.key as name,
        s.ordinality as position,
        s.value,
        jsonb_typeof(s.value) as type,
        app.trim_text(s.value #>> '{}') as text,
        f.kind,
        f.max_length,
        f.is_nullable
      from jsonb_each(lead_faults.fields) with ordinality as s (key, value, ordinality)
      left join app.lead_field as f on f.name = s.key
    ),
    checked as (
      select
        f.*,
        case
          when f.kind is null and f.name in (
            'id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at'
          ) then 'read_only_field'
          when f.kind is null then 'unknown_field'
          when f.type = 'null' then case when not f.is_nullable then 'not_nullable' end
          when f.type <> case when f.kind = 'score' then 'number' else 'string' end then 'wrong_type'
          when f.kind = 'score' then
            case
              when (f.value #>> '{}')::numeric not between 0 and 100 then 'out_of_range'
              when (f.value #>> '{}')::numeric % 1 <> 0 then 'not_whole'
            end
          when f.text = '' then 'blank'
          when char_length(f.text) > f.max_length then 'too_long'
          when f.kind = 'email' and not app.is_email(f.text) then 'invalid_email'
          when f.kind = 'name' and not app.is_name(f.text) then 'invalid_name'
          when f.kind = 'stage' and not exists (
            select from app.pipeline_stage as p
            where p.organization_id = lead_faults.organization_id and p.name = f.text
          ) then 'unknown_stage'
        end as code
      from field as f
    )
    select json_agg(
      json_build_object(
        'field', left(c.name, 100),
        'code', c.code,
        'detail', case c.code
          when 'read_only_field' then 'This field is set by the server. Leave it out.'
          when 'unknown_field' then 'This field does not exist. Leave it out.'
          else app.lead_field_rule(c.kind, c.max_length, c.is_nullable)
        end
      )
      order by c.position
    )
    from checked as c
    where c.code is not null
  );
end $$;

comment on function app.lead_faults(uuid, jsonb) is
$$The faults of the fields of a lead that a client sends.

fields: a JSON object. Returns a JSON array of {field, code, detail}, in the order of the fields; null if there is no fault.
Codes: read_only_field, unknown_field, not_nullable, wrong_type, out_of_range, not_whole, blank, too_long, invalid_email,
invalid_name, unknown_stage. The CHECKs and the foreign key of app.lead refuse the same values from any writer.$$;

grant execute on function app.lead_faults(uuid, jsonb) to leads_exec;
