-- admin.unlisted_erasures - the events of an archive that were erased, and that no event in the log lists.
set local role leads_jobs;

create or replace function admin.unlisted_erasures(organization_id uuid, erased json)
returns table (event_id uuid) language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  with listed as materialized (
    select i.event_id, i.digest
    from audit.event as e
    cross join lateral json_to_recordset(e.payload -> 'erased') as i (event_id uuid, digest text)
    where
      e.organization_id = unlisted_erasures.organization_id
      and e.action_and_source in (
        'lead.erased/api', 'lead.erased/system', 'lead.erased/sql', 'lead.erased/worker',
        'organization.erased/api', 'organization.erased/system', 'organization.erased/sql', 'organization.erased/worker'
      )
      and e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
      and exists (
        select
        from audit.seal as s
        where
          s.organization_id = unlisted_erasures.organization_id and s.event_id = e.id and s.created_at = e.created_at
      )
  )
  select i.event_id
  from json_to_recordset(unlisted_erasures.erased) as i (event_id uuid, digest text)
  where not exists (select from listed as l where l.event_id = i.event_id and l.digest = i.digest);
end;

comment on function admin.unlisted_erasures(uuid, json) is
$$The events in an archive whose values were erased without an event lead.erased or organization.erased in the log that lists
them.

erased: an array of objects with event_id and digest, the SHA-256 of the payload that remains in hexadecimal digits.$$;

grant execute on function admin.unlisted_erasures(uuid, json) to leads_operator;
