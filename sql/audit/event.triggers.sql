-- audit.event - the guard of the audit log.
set local role leads_owner;

drop trigger if exists _100_refuse_change on audit.event;
drop trigger if exists _110_refuse_truncate on audit.event;

-- For each statement, not each row: a role that sees no row gets the error too.
create trigger _100_refuse_change before update or delete on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _110_refuse_truncate before truncate on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

-- Also where session_replication_role says otherwise.
alter table audit.event enable always trigger _100_refuse_change;
alter table audit.event enable always trigger _110_refuse_truncate;
