-- scoring.score - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.score');
call app.check_arrivals('scoring.score');

create trigger _100_refuse_truncate before truncate on scoring.score
  for each statement execute function audit.tg_refuse('Scores can''t be truncated: the history keeps every score.');

create trigger _110_refuse_change before update on scoring.score
  for each row execute function audit.tg_refuse('A score never changes: score the lead again.');

create trigger _120_check before insert on scoring.score
  for each row execute function scoring.tg_score__check();

create trigger _500_apply after insert on scoring.score
  for each row when (new.kind = 'scored') execute function scoring.tg_score__apply();

-- An INSERT is recorded with the change of the lead, as lead.scored, lead.updated or lead.created.
create trigger _900_record after delete on scoring.score
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_record('score', 'id');
