-- webhook.endpoint - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('webhook.endpoint');

create trigger _100_refuse_truncate before truncate on webhook.endpoint
  for each statement execute function audit.tg_refuse('Use "leads webhooks delete", which records each change.');

create trigger _120_keep_identity before update on webhook.endpoint
  for each row
  when ((old.organization_id, old.id, old.created_at) is distinct from (new.organization_id, new.id, new.created_at))
  execute function audit.tg_refuse('organization_id, id and created_at never change.');

create trigger _500_stamp before update on webhook.endpoint
  for each row
  when (
    (old.name, old.url, old.actions, old.include, old.state, old.disabled_reason, old.secret)
    is distinct from (new.name, new.url, new.actions, new.include, new.state, new.disabled_reason, new.secret)
    -- The same secret, sealed again by a worker. A new one is not bound.
    and (new.secret = old.secret or not new.secret_is_bound)
  )
  execute function webhook.tg_endpoint__stamp();

create trigger _800_queue after insert on webhook.endpoint
  for each row execute function webhook.tg_endpoint__queue();

create trigger _810_queue_enabled after update on webhook.endpoint
  for each row when (new.state = 'enabled' and old.state <> 'enabled')
  execute function webhook.tg_endpoint__queue();

-- The audit log doesn't record what changes with the deliveries.
create trigger _900_record after insert or update or delete on webhook.endpoint
  for each row execute function audit.tg_record(
    'webhook', 'id', 'disabled_at', 'failing_since', 'failures', 'paused_until', 'recovered_at', 'position', 'secret_key',
    'secret_is_bound', 'previous_secret', 'previous_secret_key', 'previous_is_bound', 'previous_expires_at'
  );
