-- audit.event - the triggers that make the audit log append-only.
set local role leads_owner;
call app.drop_triggers('audit.event');
call app.check_arrivals('audit.event');

-- A statement trigger, so that a role that sees no row gets the error too. _120_check_erasure
-- checks each row of the one exception, an erasure.
create trigger _100_refuse_change before update on audit.event
  for each statement when (current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

-- The exception is audit.delete_rows, after a move to another cell. _125_check_departure checks each row of it.
create trigger _105_refuse_delete before delete on audit.event
  for each statement when (current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _110_refuse_truncate before truncate on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _120_check_erasure before update on audit.event
  for each row execute function audit.tg_event__check_erasure();

create trigger _125_check_departure before delete on audit.event
  for each row execute function audit.tg_event__check_departure();

-- ALWAYS: the triggers fire even if session_replication_role is replica.
alter table audit.event enable always trigger _100_refuse_change;
alter table audit.event enable always trigger _105_refuse_delete;
alter table audit.event enable always trigger _110_refuse_truncate;
alter table audit.event enable always trigger _120_check_erasure;
alter table audit.event enable always trigger _125_check_departure;
