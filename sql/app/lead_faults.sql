-- app.lead_faults - the faults of the fields that a client sends for a lead.
set local role leads_owner;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists app.lead_faults(uuid, jsonb);

create or replace function app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean default null)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    -- Text is taken from a string only: from a number, it can have 131,072 digits.
    with field as materialized (
      select
        f.name,
        f.kind,
        f.max_length,
        f.is_nullable,
        s.value,
        jsonb_typeof(s.value) as type,
        case
          when jsonb_typeof(s.value) = 'string' and f.kind = 'email' then app.ascii_email(app.clean_text(s.value #>> '{}'))
          when jsonb_typeof(s.value) = 'string' then app.clean_text(s.value #>> '{}')
        end as text
      from app.lead_field as f
      cross join lateral (select lead_faults.fields -> f.name as value) as s
      where
        lead_faults.fields ? f.name
        and (lead_faults.is_detail is null or f.is_detail = lead_faults.is_detail)
    ),
    checked as (
      select
        f.*,
        case
          when f.type = 'null' then case when not f.is_nullable then 'not_nullable' end
          when f.type <> case f.kind when 'score' then 'number' when 'details' then 'object' else 'string' end
            then 'wrong_type'
          when f.kind = 'score' then
            case
              when f.value::numeric not between 0 and 100 then 'out_of_range'
              when f.value::numeric % 1 <> 0 then 'not_whole'
            end
          when f.text = '' then 'blank'
          when char_length(f.text) > f.max_length then 'too_long'
          when f.kind in ('text', 'phone') and app.control_character(f.text) is not null then 'control_character'
          when f.kind = 'email' and not app.is_email(f.text) then 'invalid_email'
          when f.kind = 'name' and not app.is_name(f.text) then 'invalid_name'
          when f.kind = 'phone' and not app.is_phone(f.text) then 'invalid_phone'
          when f.kind = 'stage' and not exists (
            select from app.pipeline_stage as p
            where p.organization_id = lead_faults.organization_id and p.name = f.text
          ) then 'unknown_stage'
        end as code
      from field as f
    ),
    fault (field, code, detail) as (
      select
        c.name,
        c.code,
        case c.code
          when 'control_character' then format(
            'The text has the control character %s. Remove it.', app.code_point(app.control_character(c.text))
          )
          when 'unknown_stage' then format(
            'This must be one of the organization''s pipeline stages: %s.', app.stage_names(lead_faults.organization_id)
          )
          else app.lead_field_rule(c.kind, c.max_length, c.is_nullable)
        end
        || case
          when c.code in ('invalid_email', 'invalid_name', 'unknown_stage') then app.character_note(c.text)
          else ''
        end
      from checked as c
      where c.code is not null
      union all
      select d.field, d.code, d.detail
      from field as f
      cross join lateral app.details_faults(f.value) as d
      where f.kind = 'details' and f.type = 'object'
      union all
      (
        select
          k.key,
          case
            when k.key in ('id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at')
              then 'read_only_field'
            else 'unknown_field'
          end,
          case
            when k.key in ('id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at')
              then 'This field is set by the server. Leave it out.'
            when exists (select from app.lead_field as f where f.name = k.key) then format(
              'This request does not change the field. Use PATCH /leads/{id}%s.',
              case when not lead_faults.is_detail then '/details' end
            )
            else 'This field does not exist. Leave it out.'
          end
        from jsonb_object_keys(lead_faults.fields - array(
          select f.name from app.lead_field as f where lead_faults.is_detail is null or f.is_detail = lead_faults.is_detail
        )) as k (key)
        order by octet_length(k.key), k.key collate "C"
        limit 100
      )
    )
    select json_agg(
      json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail)
      order by octet_length(f.field), f.field collate "C"
    )
    from fault as f
  );
end $$;

comment on function app.lead_faults(uuid, jsonb, boolean) is
$$The faults of the fields of a lead that a client sends.

fields: a JSON object. is_detail: true, if the client may send phone, reference and details only; false, if it may send the
other fields only; null: all fields. The size of details is not checked (app.details_size_faults). Returns a JSON array of
{field, code, detail}, in the order of the fields, with at most 100 fields that the client may not send; null if there is no
fault. Codes: read_only_field, unknown_field, not_nullable, wrong_type, out_of_range, not_whole, blank, too_long,
control_character, invalid_email, invalid_name, unknown_stage, invalid_phone. The CHECKs and the foreign key of app.lead refuse
the same values from any writer, except invisible and control characters.$$;

grant execute on function app.lead_faults(uuid, jsonb, boolean) to leads_exec, leads_intake, leads_jobs;
