-- scoring.default_model - the triggers of the table.
set local role leads_owner;

call app.drop_triggers('scoring.default_model');

create trigger _100_refuse_truncate before truncate on scoring.default_model
  for each statement execute function audit.tg_refuse('The history of scores names its models.');

create trigger _110_refuse_change before update or delete on scoring.default_model
  for each row execute function audit.tg_refuse('A version never changes: add the next one.');
