-- admin.catalogue_entry - the privileges: only the owner's functions may use the kept catalogue.
set local role leads_jobs;
revoke all on admin.catalogue_entry from leads_owner, leads_auth, leads_exec, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;
