-- scoring.signal_item - a signal as the API shows it.
set local role leads_owner;

create or replace function scoring.signal_item(signal scoring.signal)
returns api.signal
language sql
stable
parallel safe
begin atomic
  select row(
    signal.id, signal.organization_id, signal.lead_id, signal.type, signal.value::json,
    app.utc_text(signal.observed_at), signal.dedupe_key, app.utc_text(signal.created_at)
  )::api.signal;
end;

comment on function scoring.signal_item(scoring.signal) is 'The eight fields of a signal, in the order of the body.';

grant execute on function scoring.signal_item(scoring.signal) to leads_exec;
