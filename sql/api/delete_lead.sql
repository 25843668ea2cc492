-- api.delete_lead - DELETE /leads/{id}.
set local role leads_exec;

create or replace function api.delete_lead(id uuid)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_erasure record;
begin
  -- Under the policies, which the erasing function does not have.
  if
    not exists (select from app.lead as l where l.organization_id = v_organization_id and l.id = delete_lead.id)
    and not exists (
      select from audit.event as e where e.organization_id = v_organization_id and e.lead_id = delete_lead.id
    )
  then
    return null;
  end if;
  select e.* into v_erasure from audit.erase_own_lead(delete_lead.id) as e;
  if v_erasure.wait_seconds > 0 then
    return row(
      202,
      json_build_object('Retry-After', least(ceil(v_erasure.wait_seconds), 60)::text),
      row_to_json(row(delete_lead.id, 'waiting', '{}', '{}')::api.lead_erasure)::text
    );
  elsif v_erasure.rows_gone = 0 and v_erasure.events = 0 then
    return null;
  end if;
  return row(
    200,
    null::json,
    row_to_json(row(
      delete_lead.id,
      'erased',
      array(
        select row(
          c.vendor, c.account, c.status, c.external_id,
          array(
            select row(s.email, s.display_name, s.sent_at)::api.sent_contact
            from json_to_recordset(c.may_have_made) as s (email text, display_name text, sent_at text)
          )
        )::api.lead_copy
        from json_to_recordset(v_erasure.copies) as c (
          vendor text, account text, status text, external_id text, may_have_made json
        )
        -- The other pushes have not created a record.
        where c.external_id is not null or json_array_length(c.may_have_made) > 0
      ),
      array(
        select row(w.id, w.host, w.first_at, w.last_at)::api.webhook_recipient
        from json_to_recordset(v_erasure.webhooks) as w (id uuid, host text, first_at text, last_at text)
      )
    )::api.lead_erasure)::text
  );
end $$;

comment on function api.delete_lead(uuid) is
$$Erase a lead.

This cannot be undone. It deletes the lead with its signals, scores and pushes, replaces its values in the audit log by
{"erased": true}, and empties the stored responses of Idempotency-Keys. The audit log records lead.erased. copies lists
the records in CRMs, and webhooks the webhooks that received values of the lead: erase them there. They are in this response
only, so keep it; GET /leads/{id}/everything shows them before the erasure. 202 means that nothing was erased, because a push to the CRM is in progress:
repeat the request after the seconds in Retry-After. If the lead was erased before, the response is 404.$$;

grant execute on function api.delete_lead(uuid) to leads_api;

set local role leads_owner;
call api.document(
  'api.delete_lead',
  tag => 'Leads',
  answer => 'api.lead_erasure',
  statuses => '{200,202}',
  examples => '{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "status": "waiting", "copies": [], "webhooks": []}}'
);
