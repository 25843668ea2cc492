-- audit.erase_events - erases the personal values in events, and lists the new payloads' digests.
set local role leads_eraser;

create or replace function audit.erase_events(organization_id uuid, lead_id uuid)
returns text[] language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_event record;
  v_items text[] := '{}';
begin
  for v_event in
    select
      e.id,
      e.created_at,
      p.payload,
      e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8')) as is_as_written
    from audit.event as e
    cross join lateral (select audit.erased_payload(e.payload) as payload offset 0) as p
    where
      e.organization_id = erase_events.organization_id
      and (e.lead_id = erase_events.lead_id or erase_events.lead_id is null)
      and e.salt is not null
      -- These events contain no personal values.
      and e.action not in ('lead.erased', 'organization.erased', 'lead.read', 'audit.retired')
      and p.payload::text <> e.payload::text
    order by e.id
  loop
    update audit.event as e
    set payload = v_event.payload, salt = null
    where
      e.organization_id = erase_events.organization_id
      and e.id = v_event.id
      and e.created_at = v_event.created_at;
    -- An event that was tampered with is not listed, so that the verification still reports it.
    continue when not v_event.is_as_written;
    v_items := v_items || format(
      '{"event_id":"%s","digest":"%s"}', v_event.id, encode(sha256(convert_to(v_event.payload::text, 'UTF8')), 'hex')
    );
  end loop;
  return v_items;
end $$;

comment on function audit.erase_events(uuid, uuid) is
$$Erases the personal values in a lead's events; if lead_id is null, in all events of the organization.

Returns a JSON text {"event_id": …, "digest": …} for each event that it changed, except for events whose payload had been
tampered with. digest: the SHA-256 of the payload that remains, in hexadecimal digits.$$;
