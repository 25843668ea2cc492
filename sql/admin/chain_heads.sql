-- admin.chain_heads - lists the heads of the chains, for leads audit seal --export.
set local role leads_jobs;

create or replace function admin.chain_heads(organization_id uuid default null)
returns table (organization_id uuid, head text, sealed_at text, unsealed bigint) language sql stable security definer
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
begin atomic
  select
    o.organization_id,
    h.position || ':' || encode(h.hash, 'hex'),
    app.utc_text(h.sealed_at),
    (select count(*) from audit.unsealed as u where u.organization_id = o.organization_id)
  from app.organization as o
  left join lateral (
    select s.position, s.hash, s.sealed_at
    from audit.seal as s
    where s.organization_id = o.organization_id
    order by s.position desc
    limit 1
  ) as h on true
  where
    (o.organization_id = chain_heads.organization_id or chain_heads.organization_id is null)
    -- Another cell has the chain.
    and not exists (
      select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced and f.state in ('moved', 'arriving')
    )
  order by o.organization_id;
end;

comment on function admin.chain_heads(uuid) is
$$The head of an organization's chain; null: of every organization's.

head: position and hash, in the format that audit.chain_verdict takes; null if nothing is sealed yet. sealed_at: UTC.
unsealed: the number of events that have no seal yet.$$;

grant execute on function admin.chain_heads(uuid) to leads_operator;
