-- webhook.endpoint_faults - the faults of the settings that a client sends for a webhook.
set local role leads_owner;

create or replace function webhook.endpoint_faults(settings jsonb, is_new boolean)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := endpoint_faults.settings;
begin
  return (
    with setting as (
      select
        s.key, s.value, jsonb_typeof(s.value) as type,
        case when jsonb_typeof(s.value) = 'string' then s.value #>> '{}' end as text
      from jsonb_each(v_settings) as s (key, value)
    ),
    fault (field, code, detail) as (
      select 'url', 'required', 'A webhook needs the address that receives the messages.'
      where endpoint_faults.is_new and not v_settings ? 'url'
      union all
      select
        s.key,
        case when r.is_read_only then 'read_only_field' else 'unknown_field' end,
        case
          when r.is_read_only then 'This field is set by the server. Leave it out.'
          when s.key in ('state', 'skip_missed') then 'A new webhook is enabled. Change it with PATCH /webhooks/{id}.'
          else 'This field does not exist. Leave it out.'
        end
      from setting as s
      cross join lateral (
        select s.key in (
          'id', 'organization_id', 'disabled_reason', 'disabled_at', 'failing_since', 'secret', 'previous_secret_expires_at',
          'created_at', 'updated_at'
        ) as is_read_only
      ) as r
      where
        s.key not in ('url', 'name', 'actions', 'include')
        and (endpoint_faults.is_new or s.key not in ('state', 'skip_missed'))
      union all
      select s.key, 'not_nullable', 'This can''t be null. Leave the field out to keep its value.'
      from setting as s
      where s.key in ('url', 'include', 'state', 'skip_missed') and s.type = 'null'
      union all
      select s.key, 'wrong_type', 'This must be a text.'
      from setting as s
      where s.key in ('url', 'name', 'include', 'state') and s.type not in ('string', 'null')
      union all
      select s.key, 'wrong_type', 'This must be true or false.'
      from setting as s
      where s.key = 'skip_missed' and s.type not in ('boolean', 'null')
      union all
      select s.key, 'invalid_url', webhook.url_fault(s.text)
      from setting as s
      where s.key = 'url' and webhook.url_fault(s.text) is not null
      union all
      select s.key, 'invalid_text', 'This must have 1 to 255 characters, and no control characters.'
      from setting as s
      where
        s.key = 'name' and s.type = 'string'
        and (app.is_text(app.clean_text(s.text), 255) is not true or app.control_character(s.text) is not null)
      union all
      select s.key, 'unknown_value', 'This must be ids or values.'
      from setting as s
      where s.key = 'include' and s.text not in ('ids', 'values')
      union all
      select s.key, 'unknown_value', 'This must be enabled or disabled.'
      from setting as s
      where s.key = 'state' and s.text not in ('enabled', 'disabled')
      union all
      select s.key, 'wrong_type', 'This must be a list of 1 to 100 actions, such as ["lead.created"], or null for all.'
      from setting as s
      where
        s.key = 'actions' and s.type <> 'null'
        and not case when s.type = 'array' then
          jsonb_array_length(s.value) between 1 and 100 and not s.value @? 'strict $[*] ? (@.type() != "string")'
        else false end
      union all
      select
        format('actions[%s]', a.position - 1), 'unknown_action',
        'The audit log has no such action. The reference lists all: GET /audit-log, parameter action.'
      from setting as s
      cross join lateral jsonb_array_elements(case s.type when 'array' then s.value else '[]' end)
        with ordinality as a (value, position)
      where
        s.key = 'actions' and a.position <= 100 and jsonb_typeof(a.value) = 'string'
        and a.value #>> '{}' <> all (audit.actions())
    )
    select json_agg(
      json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail)
      order by octet_length(f.field), f.field collate "C"
    )
    from (select f.* from fault as f order by octet_length(f.field), f.field collate "C" limit 100) as f
  );
end $$;

comment on function webhook.endpoint_faults(jsonb, boolean) is
$$The faults of the settings of a webhook, as a JSON array of {field, code, detail}; null if there is none.

settings: a JSON object (api.new_webhook_input or api.webhook_input). Codes: required, unknown_field, read_only_field,
not_nullable, wrong_type, invalid_url, invalid_text, unknown_value, unknown_action.$$;

grant execute on function webhook.endpoint_faults(jsonb, boolean) to leads_exec, leads_jobs;
