-- admin.import_line - takes the rows that leads import sends with COPY.
set local role leads_jobs;

create or replace view admin.import_line with (security_invoker = true) as
select
  null::uuid as organization_id,
  null::bytea as file_digest,
  null::integer as position,
  null::text as fields
where false;

comment on view admin.import_line is
  'The operator inserts into this view, which has no rows. They go into admin.import_row, until admin.import_leads takes them in the '
  'same transaction.';

revoke all on admin.import_line
from leads_owner, leads_auth, leads_exec, leads_intake, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant insert on admin.import_line to leads_operator;
