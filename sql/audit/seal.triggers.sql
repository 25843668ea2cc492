-- audit.seal - the guard of the seals.
set local role leads_owner;

drop trigger if exists _100_refuse_change on audit.seal;
drop trigger if exists _110_refuse_truncate on audit.seal;

create trigger _100_refuse_change before update or delete on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

create trigger _110_refuse_truncate before truncate on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

-- Also where session_replication_role says otherwise.
alter table audit.seal enable always trigger _100_refuse_change;
alter table audit.seal enable always trigger _110_refuse_truncate;
