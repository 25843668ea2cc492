-- app.lead_filter_faults - the values in filters that no lead can have.
set local role leads_owner;

create or replace function app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[])
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with fault as (
      select f.fault
      from json_array_elements(
        app.stage_filter_faults(lead_filter_faults.organization_id, lead_filter_faults.stages)
      ) as f (fault)
      union all
      select json_build_object('field', 'source', 'code', 'invalid_name', 'detail', format(
        'No lead can have the source "%s". A source is 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.',
        left(s.value, 100)
      ) || app.character_note(s.value))
      from unnest(lead_filter_faults.sources) as s (value)
      where not app.is_name(s.value)
      union all
      select json_build_object('field', 'email', 'code', 'invalid_email', 'detail', format(
        'No lead can have the address "%s". Send an address such as ada@example.com.', left(e.value, 100)
      ) || app.character_note(app.read_email(e.value)))
      from unnest(lead_filter_faults.emails) as e (value)
      where not app.is_email(app.read_email(e.value))
    )
    select json_agg(f.fault) from fault as f
  );
end $$;

comment on function app.lead_filter_faults(uuid, text[], text[], text[]) is
  'A field error for each value that no lead of the organization can have. Null: there is none.';

grant execute on function app.lead_filter_faults(uuid, text[], text[], text[]) to leads_exec, leads_jobs;
