-- audit.record_erasure - writes the event that records an erasure.
set local role leads_audit;

create or replace function audit.record_erasure(organization_id uuid, lead_id uuid, about text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.write_event(
    record_erasure.organization_id,
    case when record_erasure.lead_id is null then 'organization.erased' else 'lead.erased' end,
    record_erasure.lead_id,
    record_erasure.about
  );
end $$;

comment on function audit.record_erasure(uuid, uuid, text) is
$$Writes the event lead.erased; if lead_id is null, organization.erased. Only the erasing functions call it.

about: members of the payload, in the format of audit.write_event. The member "erased" lists each erased event with the
SHA-256 of the payload that remains; audit.chain_verdict accepts no other erased payload.$$;

grant execute on function audit.record_erasure(uuid, uuid, text) to leads_eraser;
