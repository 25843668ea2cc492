-- admin.load_signals - inserts signals with times in the past.
set local role leads_jobs;

create or replace function admin.load_signals(organization_id uuid, signals jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(load_signals.organization_id)).organization_id;
  v_count integer;
begin
  insert into scoring.signal (organization_id, lead_id, type, value, observed_at, dedupe_key)
  select
    v_organization_id,
    (s.signal ->> 'lead_id')::uuid,
    s.signal ->> 'type',
    coalesce(s.signal -> 'value', 'true'),
    (s.signal ->> 'observed_at')::timestamptz,
    s.signal ->> 'dedupe_key'
  from jsonb_array_elements(load_signals.signals) as s (signal)
  on conflict (organization_id, lead_id, dedupe_key) do nothing;
  get diagnostics v_count = row_count;
  -- A smaller number says that a lead already has a signal with this dedupe_key.
  if v_count < jsonb_array_length(load_signals.signals) then
    perform audit.record_read(
      v_organization_id,
      'admin.load_signals',
      array(
        select distinct (s.signal ->> 'lead_id')::uuid from jsonb_array_elements(load_signals.signals) as s (signal)
      )
    );
  end if;
  return v_count;
end $$;

comment on function admin.load_signals(uuid, jsonb) is
  'Inserts signals, and returns the number of new ones. signals: a JSON array of {lead_id, type, value, observed_at, '
  'dedupe_key}. Writes the event lead.read if one of them is not new. Raises PT404 organization_not_found, and violations of the table''s constraints.';

grant execute on function admin.load_signals(uuid, jsonb) to leads_operator;
