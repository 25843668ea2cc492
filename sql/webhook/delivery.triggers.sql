-- webhook.delivery - the triggers of the table. The audit log records the events and not their deliveries.
set local role leads_owner;
call app.drop_triggers('webhook.delivery');
call app.check_arrivals('webhook.delivery');

create trigger _100_refuse_truncate before truncate on webhook.delivery
  for each statement execute function audit.tg_refuse('The deliveries that wait would be lost.');

create trigger _110_keep_event before update on webhook.delivery
  for each row
  when (
    (old.organization_id, old.id, old.endpoint_id, old.event_id, old.event_created_at, old.position, old.lead_id, old.action)
    is distinct from
    (new.organization_id, new.id, new.endpoint_id, new.event_id, new.event_created_at, new.position, new.lead_id, new.action)
  )
  execute function audit.tg_refuse('A delivery keeps its webhook and its event.');

create trigger _130_count_up before update on webhook.delivery
  for each row when (new.attempts < old.attempts)
  execute function audit.tg_refuse('attempts is the fencing token and never decreases.');
