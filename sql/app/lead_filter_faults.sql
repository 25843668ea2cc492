-- app.lead_filter_faults - the values in filters that no lead can have.
set local role leads_owner;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists app.lead_filter_faults(uuid, text[], text[], text[]);

create or replace function app.lead_filter_faults(
  organization_id uuid,
  stages text[],
  sources text[],
  emails text[],
  phones text[],
  "references" text[]
)
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
      union all
      select json_build_object('field', 'phone', 'code', 'invalid_phone', 'detail', format(
        'No lead can have the phone "%s". Send a number with 3 to 20 digits, such as +15550100199.', left(p.value, 100)
      ))
      from unnest(lead_filter_faults.phones) as p (value)
      where not app.is_phone(app.read_phone(p.value))
      union all
      select json_build_object('field', 'reference', 'code', 'too_long', 'detail', format(
        'No lead can have the reference "%s". A reference has at most 255 characters.', left(r.value, 100)
      ))
      from unnest(lead_filter_faults."references") as r (value)
      where not app.is_text(app.clean_text(r.value), 255)
    )
    select json_agg(f.fault) from fault as f
  );
end $$;

comment on function app.lead_filter_faults(uuid, text[], text[], text[], text[], text[]) is
  'A field error for each value that no lead of the organization can have. Null: there is none.';

grant execute on function app.lead_filter_faults(uuid, text[], text[], text[], text[], text[]) to leads_exec;
