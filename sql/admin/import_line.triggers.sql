-- admin.import_line - the trigger of the view.
set local role leads_jobs;
call app.drop_triggers('admin.import_line');

create trigger _500_store instead of insert on admin.import_line
  for each row execute function admin.tg_import_line__store();
