-- audit.event_filter_faults - the values in filters that no event can have.
set local role leads_owner;

create or replace function audit.event_filter_faults(actions text[], sources text[])
returns json language sql immutable parallel safe
begin atomic
  with fault as (
    select json_build_object('field', 'action', 'code', 'unknown_action', 'detail', format(
      'There is no action "%s". The reference lists the actions.', left(a.value, 100)
    )) as fault
    from unnest(event_filter_faults.actions) as a (value)
    where a.value <> all (audit.actions())
    union all
    select json_build_object(
      'field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.'
    )
    where not event_filter_faults.sources <@ array['api', 'sql', 'worker', 'system']
  )
  select json_agg(f.fault) from fault as f;
end;

comment on function audit.event_filter_faults(text[], text[]) is
  'A field error for each action that does not exist, and one for the sources. Null: there is none.';

grant execute on function audit.event_filter_faults(text[], text[]) to leads_exec, leads_jobs;
