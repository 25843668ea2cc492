-- scoring.score - the privileges on the table.
set local role leads_owner;
revoke all on scoring.score
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select,
  insert (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
on scoring.score to leads_exec, leads_intake, leads_jobs;

grant select (organization_id, lead_id), delete on scoring.score to leads_eraser;

-- The columns that the view of schema bi shows. Analysts have no USAGE on schema scoring.
grant select (
  id, organization_id, lead_id, kind, lead_score, model, model_version, base, contributions, created_at
) on scoring.score to leads_bi;

-- audit.delete_rows
grant select (id) on scoring.score to leads_eraser;
