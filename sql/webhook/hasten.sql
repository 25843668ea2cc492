-- webhook.hasten - makes the deliveries that wait for another attempt due at once.
set local role leads_jobs;

create or replace function webhook.hasten(organization_id uuid, endpoint_id uuid, at timestamptz)
returns void language sql volatile security invoker set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
begin atomic
  update webhook.delivery as d
  set next_attempt_at = hasten.at
  where
    d.organization_id = hasten.organization_id
    and d.id = any (array(
      select w.id
      from webhook.delivery as w
      where
        w.organization_id = hasten.organization_id
        and w.endpoint_id = hasten.endpoint_id
        and w.next_attempt_at > hasten.at
        and w.leased_until is null
      order by w.next_attempt_at
      -- The rest has an attempt within the hour.
      limit 1000
    ));
end;

comment on function webhook.hasten(uuid, uuid, timestamptz) is
  'Makes up to 1,000 deliveries of a webhook that wait for another attempt due at this time: it has recovered, or was enabled.';
