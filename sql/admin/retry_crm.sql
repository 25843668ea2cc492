-- admin.retry_crm - starts failed pushes again, or links a lead to a record, for leads crm retry.
set local role leads_jobs;

create or replace function admin.retry_crm(organization_id uuid, lead_id uuid default null, external_id text default null)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(retry_crm.organization_id)).organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_ids uuid[];
begin
  if retry_crm.external_id is not null and retry_crm.lead_id is null then
    raise sqlstate 'PT422' using
      message = 'lead_needed', hint = 'A record belongs to one lead, so the lead''s id is required.';
  end if;
  if retry_crm.external_id is not null and app.is_text(retry_crm.external_id, 255) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_external_id', hint = 'The record''s id must have 1 to 255 characters.';
  end if;
  -- A push with an unknown outcome is retried for one lead at a time: a person must check the CRM.
  with failed as (
    select s.id
    from crm.sync as s
    join crm.connection as c
      on c.organization_id = s.organization_id and c.vendor = s.vendor and c.account = s.account
    where
      s.organization_id = v_organization_id
      and (s.status in ('failed', 'skipped') or (s.status = 'pending' and retry_crm.external_id is not null))
      and case
        -- Leads that came in bulk without pushes must not all become records.
        when retry_crm.lead_id is null then s.error_code not in ('outcome_unknown', 'bulk')
        else s.lead_id = retry_crm.lead_id
      end
    order by s.id
    for no key update of s
  )
  select array_agg(f.id) into v_ids from failed as f;
  if v_ids is null then
    raise sqlstate 'PT404' using message = 'push_not_found', hint = case
      when retry_crm.lead_id is null then
        'The organization''s connection has no failed or skipped push that can be retried. A push with outcome_unknown '
        'or bulk is retried for one lead at a time.'
      else
        'The organization''s connection has no failed or skipped push of this lead. To list the pushes, run: leads crm queue'
    end;
  end if;

  update crm.attempt as a
  set outcome = 'dismissed'
  where a.organization_id = v_organization_id and a.sync_id = any (v_ids) and a.outcome is null;
  update crm.sync as s
  set
    status = case when retry_crm.external_id is null then 'pending' else 'ok' end,
    external_id = retry_crm.external_id,
    last_synced_at = case when retry_crm.external_id is not null then v_now end,
    run_at = case when retry_crm.external_id is null then v_now end,
    error_code = null,
    error = null,
    begun_at = v_now,
    begun_after = s.attempts
  where s.organization_id = v_organization_id and s.id = any (v_ids);
  call app.notify('leads_work');
  return cardinality(v_ids);
end $$;

comment on function admin.retry_crm(uuid, uuid, text) is
$$Starts failed and skipped pushes again, and returns their number.

lead_id: null for all pushes of the organization's connection except those with outcome_unknown or bulk. With a lead's id, a push with
outcome_unknown starts again, too: the caller has checked that the CRM has no record of the lead. external_id: the id of the
lead's record, which the caller has found in the CRM. The lead is linked to it, and nothing is sent. Raises PT404
organization_not_found and push_not_found, PT422 invalid_external_id and lead_needed.$$;

grant execute on function admin.retry_crm(uuid, uuid, text) to leads_operator;
