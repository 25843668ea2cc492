-- scoring.default_model - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.default_model');

create trigger _100_refuse_truncate before truncate on scoring.default_model
  for each statement execute function audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

create trigger _110_refuse_change before update or delete on scoring.default_model
  for each row execute function audit.tg_refuse('A version never changes: add a new version.');
