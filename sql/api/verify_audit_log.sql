-- api.verify_audit_log - GET /audit-log/verify.
set local role leads_exec;

create or replace function api.verify_audit_log(
  after api.seal_position default '0',
  "limit" api.seal_count default 1000,
  head api.chain_head default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
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
end $$;

comment on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) is
$$Verify the audit log.

Within about a second, each event is sealed with a hash of itself and of all events before it. This request verifies up
to limit seals after a position, and returns the first event that does not match its seal. Repeat it with next_after
until next_after is null. Keep head in another system: if you send it later, the API detects a log that was truncated or
rewritten, even by a database administrator.$$;

grant execute on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) to leads_api;

set local role leads_owner;
call api.document('api.verify_audit_log', tag => 'Audit log', answer => 'api.chain_verdict');
