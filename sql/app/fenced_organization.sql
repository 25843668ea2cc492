-- app.fenced_organization - the organizations for which this cell does nothing.
set local role leads_owner;

create or replace view app.fenced_organization with (security_invoker = true) as
select p.organization_id, p.state
from app.placement as p
where p.state in ('moving', 'moved', 'arriving');

comment on view app.fenced_organization is
$$The organizations whose rows in this database another cell has, or will have in a moment.

Nothing is answered, sealed, counted, sent or deleted for them. Every function that works for several organizations leaves them
out.$$;

revoke all on app.fenced_organization
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.fenced_organization to leads_auth, leads_audit, leads_jobs, leads_eraser;
