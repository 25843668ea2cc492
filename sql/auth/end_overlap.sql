-- auth.end_overlap - sets until when a key that was replaced is valid.
set local role leads_auth;

create or replace function auth.end_overlap(organization_id uuid, id uuid, overlap interval)
returns void language sql volatile security invoker
begin atomic
  -- A key that expires before the overlap ends keeps its expiry.
  update auth.api_key as k
  set expires_at = least(k.expires_at, date_trunc('milliseconds', now() + end_overlap.overlap))
  where k.organization_id = end_overlap.organization_id and k.id = end_overlap.id;
end;

comment on function auth.end_overlap(uuid, uuid, interval) is
  'Lets the key expire after the overlap. If it is the key of this request and the overlap is 0, the request can do nothing '
  'afterwards: call it last.';

grant execute on function auth.end_overlap(uuid, uuid, interval) to leads_exec, leads_jobs;
