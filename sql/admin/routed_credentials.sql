-- admin.routed_credentials - what the router sends to this cell, for leads cells sync.
set local role leads_jobs;

create or replace function admin.routed_credentials(after uuid, batch integer, organization_ids uuid[] default null)
returns table (organization_id uuid, is_moving boolean, key_id uuid, digest text)
language sql stable security definer
begin atomic
  with answered as (
    select o.organization_id, p.state is not distinct from 'moving' as is_moving
    from app.organization as o
    left join app.placement as p on p.organization_id = o.organization_id
    where
      (p.state is null or p.state not in ('moved', 'arriving'))
      and (routed_credentials.after is null or o.organization_id > routed_credentials.after)
      and (routed_credentials.organization_ids is null or o.organization_id = any (routed_credentials.organization_ids))
    order by o.organization_id
    limit routed_credentials.batch
  )
  select a.organization_id, a.is_moving, k.key_id, encode(k.digest, 'hex')
  from answered as a
  left join lateral auth.routed_keys(a.organization_id) as k on true
  order by a.organization_id;
end;

comment on function admin.routed_credentials(uuid, integer, uuid[]) is
$$The organizations for which this cell answers, in the order of their ids, each with the digests of its valid keys and forms.

An organization without a credential has one row, without a key. after: the last organization of the previous part, or null.
batch: the number of organizations; null: all. organization_ids: only these. is_moving: the cell refuses its requests until it has
moved.$$;

grant execute on function admin.routed_credentials(uuid, integer, uuid[]) to leads_operator, leads_router;
