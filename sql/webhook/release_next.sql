-- webhook.release_next - makes the next delivery of a lead due, after one has ended.
set local role leads_jobs;

create or replace function webhook.release_next(organization_id uuid, endpoint_id uuid, lead_id uuid, at timestamptz)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few deliveries, and would sort all of them to find the first.
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
as $$
declare
  v_first_id uuid;
begin
  if release_next.lead_id is null then
    v_first_id := (
      select d.id
      from webhook.delivery as d
      where
        d.organization_id = release_next.organization_id and d.endpoint_id = release_next.endpoint_id
        and d.lead_id is null and d.position is not null and d.state = 'pending'
      order by d.position
      limit 1
    );
  else
    v_first_id := (
      select d.id
      from webhook.delivery as d
      where
        d.organization_id = release_next.organization_id and d.endpoint_id = release_next.endpoint_id
        and d.lead_id = release_next.lead_id and d.position is not null and d.state = 'pending'
      order by d.position
      limit 1
    );
  end if;
  update webhook.delivery as d
  set next_attempt_at = release_next.at
  where d.organization_id = release_next.organization_id and d.id = v_first_id and d.next_attempt_at is null;
end $$;

comment on function webhook.release_next(uuid, uuid, uuid, timestamptz) is
$$Makes the first delivery of a webhook and a lead that is pending due at this time, unless it is due already.

lead_id: null: the deliveries that are about no lead, which are in order, too. The caller has locked the webhook, so that no
delivery is queued meanwhile.$$;
