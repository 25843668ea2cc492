-- audit.seal - the triggers that make the seals append-only.
set local role leads_owner;
call app.drop_triggers('audit.seal');

create trigger _100_refuse_change before update or delete on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

create trigger _110_refuse_truncate before truncate on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

-- ALWAYS: the triggers fire even if session_replication_role is replica.
alter table audit.seal enable always trigger _100_refuse_change;
alter table audit.seal enable always trigger _110_refuse_truncate;
