-- audit.seal - the triggers that make the seals append-only.
set local role leads_owner;
call app.drop_triggers('audit.seal');
call app.check_arrivals('audit.seal');

create trigger _100_refuse_change before update on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

-- As for audit.event.
create trigger _105_refuse_delete before delete on audit.seal
  for each statement when (current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The chain is append-only.');

create trigger _110_refuse_truncate before truncate on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

create trigger _125_check_departure before delete on audit.seal
  for each row execute function audit.tg_event__check_departure();

-- ALWAYS: the triggers fire even if session_replication_role is replica.
alter table audit.seal enable always trigger _100_refuse_change;
alter table audit.seal enable always trigger _110_refuse_truncate;
alter table audit.seal enable always trigger _105_refuse_delete;
alter table audit.seal enable always trigger _125_check_departure;
