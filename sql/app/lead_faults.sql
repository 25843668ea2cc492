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
