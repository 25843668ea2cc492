-- admin.verify_chain - verifies a part of an organization's chain, for leads audit verify.
set local role leads_jobs;

create or replace function admin.verify_chain(
  organization_id uuid,
  after bigint default 0,
  "limit" api.seal_count default 1000,
  kept_head api.chain_head default null
)
returns table (
  holds boolean,
  verified_to bigint,
  next_after text,
  head text,
  unsealed bigint,
  code text,
  "position" bigint,
  event_id uuid,
  detail text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- This accepts an erased organization: its log is kept.
  perform admin.known_organization(verify_chain.organization_id);
  return query
  select
    v.holds, v.verified_to, v.next_after, v.head, v.unsealed,
    (v.fault).code, (v.fault)."position", (v.fault).event_id, (v.fault).detail
  from audit.chain_verdict(
    verify_chain.organization_id, verify_chain.after, verify_chain.limit, verify_chain.kept_head
  ) as v;
end $$;

comment on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) is
$$Verifies a part of an organization's chain: audit.chain_verdict, with the fault's fields in the same row.

after, "limit", kept_head: see audit.chain_verdict. Raises PT404 organization_not_found.$$;

grant execute on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) to leads_operator;
