-- webhook.unqueued_batch - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('webhook.unqueued_batch');

create trigger _100_refuse_truncate before truncate on webhook.unqueued_batch
  for each statement execute function audit.tg_refuse('The events of the batches would not be sent.');
