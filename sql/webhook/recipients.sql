-- webhook.recipients - the webhooks that received values of a lead.
set local role leads_jobs;

create or replace function webhook.recipients(organization_id uuid, lead_id uuid)
returns json language sql stable security invoker
begin atomic
  select coalesce(
    json_agg(
      json_build_object(
        'id', r.endpoint_id, 'host', r.host, 'first_at', app.utc_text(r.first_at), 'last_at', app.utc_text(r.last_at)
      )
      order by r.first_at, r.endpoint_id
    ),
    '[]'
  )
  from webhook.recipient as r
  where r.organization_id = recipients.organization_id and r.lead_id = recipients.lead_id;
end;

comment on function webhook.recipients(uuid, uuid) is
  '[{"id", "host", "first_at", "last_at"}]: the webhooks to which values of the lead were sent. They may have been deleted since.';

grant execute on function webhook.recipients(uuid, uuid) to leads_eraser;
