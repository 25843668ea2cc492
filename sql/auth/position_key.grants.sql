-- auth.position_key - the privileges on the keys of positions.
set local role leads_auth;

-- Only auth.current_position and auth.position_states read a key.
revoke all on auth.position_key
from leads_owner, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;
