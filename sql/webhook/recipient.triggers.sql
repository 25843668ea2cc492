-- webhook.recipient - the triggers of the table. It is a copy of what the deliveries were.
set local role leads_owner;
call app.drop_triggers('webhook.recipient');
call app.check_arrivals('webhook.recipient');

create trigger _100_refuse_truncate before truncate on webhook.recipient
  for each statement execute function audit.tg_refuse('An erasure would not list the webhooks that received values.');
