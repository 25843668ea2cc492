-- intake.submission - the triggers of the table. The audit log records the leads and not the submissions.
set local role leads_owner;
call app.drop_triggers('intake.submission');
call app.check_arrivals('intake.submission');

create trigger _100_refuse_truncate before truncate on intake.submission
  for each statement execute function audit.tg_refuse('Submissions are deleted after 30 days.');
