-- admin.lead_import - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('admin.lead_import');
call app.check_arrivals('admin.lead_import');
