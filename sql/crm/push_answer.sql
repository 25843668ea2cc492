-- crm.push_answer - the response for the state of a push.
set local role leads_jobs;

create or replace function crm.push_answer(lead_id uuid, sync crm.sync_values)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_title text;
  v_is_paused boolean;
  v_blocked_until timestamptz;
  v_seconds integer;
  v_sync crm.sync_values := push_answer.sync;
begin
  select v.title into v_title from crm.vendor as v where v.name = (sync).vendor;
  case
    when (sync).status in ('pending', 'in_progress') then
      select c.state = 'paused', c.blocked_until into v_is_paused, v_blocked_until
      from crm.connection as c
      where c.organization_id = (sync).organization_id and c.vendor = (sync).vendor and c.account = (sync).account;
      v_seconds := case
        -- Until an operator resumes it.
        when coalesce(v_is_paused, true) then 60
        when (sync).status = 'in_progress' then 1
        else greatest(1, ceil(extract(epoch from greatest((sync).run_at, v_blocked_until) - clock_timestamp())))
      end;
      -- Clients see one state, pending, whether or not a worker has leased the push.
      v_sync.status := 'pending';
      return row(
        202, json_build_object('Retry-After', v_seconds::text), row_to_json(crm.sync_item(lead_id, v_sync))::text
      )::api.answer;
    when (sync).status = 'ok' then
      return row(200, null, row_to_json(crm.sync_item(lead_id, sync))::text)::api.answer;
    when (sync).error_code = 'outcome_unknown' then
      raise sqlstate 'PT409' using message = 'crm_outcome_unknown';
    when (sync).error_code = 'rejected' then
      raise sqlstate 'PT502' using
        message = 'crm_rejected',
        hint = format('%s refused the lead: %s', v_title, coalesce((sync).error, 'it gave no reason.'));
    else
      raise sqlstate 'PT502' using message = 'crm_unavailable', hint = format(
        '%s could not be reached for a day: %s. Push the lead again.', v_title, coalesce((sync).error, 'it gave no reason')
      );
  end case;
end $$;

comment on function crm.push_answer(uuid, crm.sync_values) is
$$200 with the record's id if the push is ok, 202 while it is pending or in progress.

Raises PT502 crm_rejected with the vendor's reason, PT502 crm_unavailable, and PT409 crm_outcome_unknown.$$;

grant execute on function crm.push_answer(uuid, crm.sync_values) to leads_exec;
