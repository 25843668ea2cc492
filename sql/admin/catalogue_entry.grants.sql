-- admin.catalogue_entry - the privileges on the kept catalogue: only its owner's functions may use it.
set local role leads_jobs;
revoke all on admin.catalogue_entry from leads_owner, leads_auth, leads_exec, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;
