-- api.verify_audit_log - GET /audit-log/verify.
set local role leads_exec;

create or replace function api.verify_audit_log(
  after api.seal_position default '0',
  "limit" api.seal_count default 1000,
  head api.chain_head default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
begin
  return row(
    200,
    null,
    row_to_json(
      audit.chain_verdict(
        v_organization_id, verify_audit_log.after::bigint, verify_audit_log.limit, verify_audit_log.head
      )
    )::text
  )::api.answer;
end
$$;

comment on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) is
$$Verify the audit log.

Each event is sealed by a hash over itself and all before it, within a second or so. This verifies up to limit seals after a
position, and names the first event that doesn't hold. Ask on with next_after until it is null. Keep head somewhere else:
asked with it later, a log that was cut off or made anew is found out, even where a database administrator did it.$$;

grant execute on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) to leads_api;
