-- audit.unsealed - the guard of the queue of the sealer.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on audit.unsealed;

create trigger _100_refuse_truncate before truncate on audit.unsealed
  for each statement execute function audit.tg_refuse('An event that is taken from the queue is never sealed.');
