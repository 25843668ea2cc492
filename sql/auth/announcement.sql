-- auth.announcement - the header with which the response that shows a new key waits for the router.
set local role leads_auth;

create or replace function auth.announcement(organization_id uuid, key_id uuid)
returns json language sql stable parallel safe security invoker
begin atomic
  select json_build_object('Announced', concat(announcement.organization_id, '/', announcement.key_id))
  where not auth.is_announced(announcement.organization_id, announcement.key_id);
end;

comment on function auth.announcement(uuid, uuid) is
$$The internal header Announced, or null if nothing waits: always in a database that is no cell.

The API server removes the header, and sends the response only when auth.is_announced is true for the two ids in it.$$;

grant execute on function auth.announcement(uuid, uuid) to leads_exec;
